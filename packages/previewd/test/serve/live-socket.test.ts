import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import type { SessionView } from '../../src/model/session.ts'
import { createViewers, type OpenViewers } from '../../src/serve/viewers.ts'
import { PreviewServer } from './preview-server.ts'

let server: PreviewServer
let viewers: OpenViewers
let view: SessionView
let woken: string[]

beforeEach(async () => {
  viewers = createViewers()
  woken = []
  view = { state: 'starting', viewers: 0, restarts: 0 }
  server = await PreviewServer.start({
    viewers,
    wake: (project) => woken.push(project),
    sessions: {
      address: () => undefined,
      untilLive: async () => undefined,
      recorded: async () => undefined,
      view: () => view,
    },
  })
  server.editor = true
  server.addProject('demo').revision = 3
})
afterEach(() => server.stop())

const HELLO = { type: 'hello', mode: 'build', revision: 1, visible: true }
const open = async (autoPong = true): Promise<WebSocket> => {
  const headers = { host: `demo.localhost:${server.port}` }
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/.previewd/live`, { headers, autoPong })
  await once(socket, 'open')
  return socket
}
const heard = async (socket: WebSocket): Promise<unknown> =>
  JSON.parse(String((await once(socket, 'message'))[0]))
const codeOf = async (socket: WebSocket): Promise<number> => (await once(socket, 'close'))[0]

describe('the socket of an editor’s page', () => {
  test('is told of the session when it says hello, and of each change once', async () => {
    const socket = await open()
    socket.send(JSON.stringify(HELLO))
    expect(await heard(socket)).toEqual({ type: 'session', state: 'starting' })
    expect(woken).toEqual(['demo'])
    server.tell('demo')
    view = { ...view, state: 'live', revision: 3 }
    server.tell('demo')
    expect(await heard(socket)).toEqual({ type: 'session', state: 'live', revision: 3 })
    socket.close()
  })

  test('reports what is painted; a revision that does not exist yet is no report', async () => {
    const socket = await open()
    const reported = new Promise<void>((resolve) =>
      viewers.listen(() => {
        if (viewers.painted('demo') !== undefined) resolve()
      }),
    )
    socket.send(JSON.stringify({ type: 'painted', revision: 9, errors: 0, visible: true }))
    socket.send(JSON.stringify({ type: 'painted', revision: 3, errors: 2, visible: false }))
    await reported
    expect(viewers.painted('demo')).toMatchObject({ revision: 3, errors: 2, visible: false })
    socket.close()
  })

  test.each([
    'garbage',
    '{}',
    '[]',
    'null',
    '{"type":"__proto__"}',
    '{"type":"painted","revision":-1,"errors":0,"visible":true}',
    '{"type":"painted","revision":1,"errors":1e9,"visible":true}',
    '{"type":"painted","revision":1,"errors":0,"visible":true,"more":1}',
    '{"type":"hello","mode":"else","revision":1,"visible":true}',
  ])('is closed for %s', async (message) => {
    const socket = await open()
    socket.send(message)
    expect(await codeOf(socket)).toBe(1008)
    expect(viewers.painted('demo')).toBeUndefined()
  })

  test('is closed for bytes, for a long message and for many', async () => {
    const binary = await open()
    binary.send(Buffer.from(JSON.stringify(HELLO)))
    expect(await codeOf(binary)).toBe(1008)
    const long = await open()
    long.send('x'.repeat(4097))
    expect(await codeOf(long)).toBe(1009)
    const many = await open()
    for (let at = 0; at < 100; at++) many.send(JSON.stringify(HELLO))
    expect(await codeOf(many)).toBe(1008)
  })

  test('of a machine that went to sleep is closed', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] })
    await server.stop()
    server = await PreviewServer.start({ viewers })
    server.editor = true
    server.addProject('demo')
    const [asleep, awake] = [await open(false), await open()]
    const gone = once(asleep, 'close')
    const pinged = [once(asleep, 'ping'), once(awake, 'ping')]
    await vi.advanceTimersByTimeAsync(10_000)
    await Promise.all(pinged)
    // Its answer to the ping was read before this is answered.
    const answered = once(awake, 'message')
    awake.send(JSON.stringify(HELLO))
    await answered
    await vi.advanceTimersByTimeAsync(10_000)
    vi.useRealTimers()
    await gone
    expect(awake.readyState).toBe(WebSocket.OPEN)
    await expect.poll(() => viewers.count('demo'), { timeout: 30_000 }).toBe(1)
    awake.close()
  })

  test('counts while it is open, and is closed with the server', async () => {
    const [one, two] = [await open(), await open()]
    expect(viewers.count('demo')).toBe(2)
    const left = new Promise<void>((resolve) =>
      viewers.listen(() => viewers.count('demo') === 1 && resolve()),
    )
    one.terminate()
    await left
    server.gateway.close()
    expect(await codeOf(two)).toBe(1001)
  })
})
