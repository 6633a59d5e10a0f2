import { Duplex } from 'node:stream'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Tunnels } from '../../src/serve/upstream/tunnels.ts'
import { HandWrittenUpstream } from './hand-written-upstream.ts'

const ACCEPTED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

let tunnels: Tunnels
let upstream: HandWrittenUpstream

beforeEach(async () => {
  tunnels = new Tunnels()
  upstream = await HandWrittenUpstream.start()
})
afterEach(async () => {
  tunnels.close()
  await upstream[Symbol.asyncDispose]()
})

/** An end whose peer has gone: the first write to it fails while it is made. */
function goneEnd(): Duplex {
  return new Duplex({
    read: () => undefined,
    write(_chunk, _encoding, done) {
      this.destroy()
      done(new Error('EPIPE'))
    },
  }).on('error', () => undefined)
}

it('takes the upstream with a client that is gone when its upgrade is accepted', async () => {
  const ended = Promise.withResolvers<void>()
  upstream.upgrade = (_req, socket) => {
    socket.on('end', ended.resolve)
    socket.resume()
    socket.write(ACCEPTED)
  }
  const client = goneEnd()
  const asking = Promise.resolve({ socketPath: upstream.socket, path: '/', headers: {} })
  expect(tunnels.open(client, Buffer.alloc(0), { project: 'demo', asking })).toBeUndefined()
  await ended.promise
  expect(client.destroyed).toBe(true)
})
