import { once } from 'node:events'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type OverloadLimits, registerOverload } from '../../src/api/overload.ts'

let app: FastifyInstance
/** Ends the calls that are open. */
let release: PromiseWithResolvers<string>
afterEach(async () => {
  release.resolve('end')
  await app.close()
})

/** Two routes that answer when they are released. */
function start(limits: Partial<OverloadLimits>): FastifyInstance {
  release = Promise.withResolvers()
  app = Fastify()
  registerOverload(app, { requestsPerMinute: 1000, ...limits })
  app.get('/call', () => release.promise)
  app.get('/stream', { config: { stream: true } }, () => release.promise)
  app.get('/open', { config: { access: 'open' } }, async () => 'open')
  return app
}

const status = async (url: string) => (await app.inject(url)).statusCode

it('refuses calls over the number at once, and takes them again when others end', async () => {
  start({ requestsAtOnce: 2 })
  const open = [status('/call'), status('/call')]
  expect(await status('/call')).toBe(503)
  expect(await status('/open')).toBe(200)
  release.resolve('end')
  expect(await Promise.all(open)).toEqual([200, 200])
  expect(await status('/call')).toBe(200)
})

it('counts those that listen apart from those that call', async () => {
  start({ requestsAtOnce: 1, streamsAtOnce: 1 })
  const listening = status('/stream')
  const calling = status('/call')
  expect(await status('/stream')).toBe(503)
  expect(await status('/call')).toBe(503)
  release.resolve('end')
  expect(await Promise.all([listening, calling])).toEqual([200, 200])
})

it('counts calls per minute for each client', async () => {
  start({ requestsPerMinute: 2 })
  release.resolve('end')
  const from = async (remoteAddress: string) => (await app.inject({ url: '/call', remoteAddress })).statusCode
  expect([await from('10.0.0.1'), await from('10.0.0.1'), await from('10.0.0.1')]).toEqual([200, 200, 429])
  expect(await from('10.0.0.2')).toBe(200)
})

it('forgets a WebSocket that was closed', async () => {
  release = Promise.withResolvers()
  app = Fastify()
  await app.register(websocket)
  registerOverload(app, { requestsPerMinute: 1000, streamsAtOnce: 1 })
  app.get('/socket', { config: { stream: true }, websocket: true }, () => undefined)
  const url = (await app.listen({ host: '127.0.0.1', port: 0 })).replace('http', 'ws')
  for (let count = 0; count < 3; count += 1) {
    const socket = new WebSocket(`${url}/socket`)
    await once(socket, 'open')
    const second = new WebSocket(`${url}/socket`)
    const [, response] = await once(second, 'unexpected-response')
    expect(response.statusCode).toBe(503)
    const serverSide = [...app.websocketServer.clients][0]
    const closed = serverSide && once(serverSide, 'close')
    socket.close()
    await closed
  }
})
