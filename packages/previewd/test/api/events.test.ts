import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createEventBus } from '../../src/events/bus.ts'
import type { EventBus } from '../../src/model/event.ts'
import { takeEvents } from './read-events.ts'
import { call, startServer, type TestServer, withDemo } from './server.ts'

let server: TestServer
let base: string
/** Subscriptions that are open. */
let open: Set<AbortSignal>

beforeEach(async () => {
  open = new Set()
  server = await startServer({}, { events: countingBus() })
  await withDemo(server)
  base = await server.listen()
})
afterEach(() => server.close())

/** The real bus, which notes who listens. */
function countingBus(): EventBus {
  const bus = createEventBus({ queuedEvents: 5 })
  return {
    ...bus,
    subscribe(options) {
      open.add(options.signal)
      options.signal.addEventListener('abort', () => open.delete(options.signal))
      return bus.subscribe(options)
    },
  }
}

const publish = (type: 'build' | 'log' | 'console', data: unknown, project = 'demo') =>
  server.events.publish(type, project, data)

describe('GET events of a project', () => {
  it('begins with the status and goes on with what happens', async () => {
    const response = await fetch(`${base}/v1/projects/demo/events`)
    publish('build', { state: 'building' })
    publish('build', 'of another', 'other')
    publish('log', { text: 'hello' })
    const events = await takeEvents(response, 3)
    expect(events.map(({ event }) => event)).toEqual(['status', 'build', 'log'])
    expect(events[0]).toMatchObject({ data: { project: 'demo', state: 'ready' } })
    expect(events[0]?.id).toBeUndefined()
    expect(events[1]).toMatchObject({ data: { state: 'building' }, id: expect.stringMatching(/^\d+$/) })
  })

  it('replays after Last-Event-ID what was missed, in order and once', async () => {
    const first = await fetch(`${base}/v1/projects/demo/events`)
    publish('log', 1)
    const [, seen] = await takeEvents(first, 2)
    publish('log', 2)
    publish('log', 3)
    const again = await fetch(`${base}/v1/projects/demo/events`, {
      headers: { 'last-event-id': seen?.id ?? '' },
    })
    publish('log', 4)
    expect((await takeEvents(again, 3)).map(({ data }) => data)).toEqual([2, 3, 4])
  })

  it('replays with ?after= and gives only ?types=', async () => {
    publish('log', 'noise')
    publish('console', 'signal')
    const response = await fetch(`${base}/v1/projects/demo/events?after=0&types=session,console`)
    expect(await takeEvents(response, 1)).toMatchObject([{ event: 'console', data: 'signal' }])
  })

  it.each(['types=nonsense', 'after=-1', 'after=x'])('refuses ?%s', async (query) => {
    expect((await call(server, 'GET', `/v1/projects/demo/events?${query}`)).json()).toMatchObject({
      code: 'BAD_REQUEST',
    })
  })

  it('lets go when the client goes', async () => {
    const gone = new AbortController()
    await fetch(`${base}/v1/projects/demo/events`, { signal: gone.signal })
    expect(open.size).toBe(1)
    gone.abort()
    await expect.poll(() => open.size).toBe(0)
    expect(server.log.filter((line) => JSON.parse(line).level >= 40)).toEqual([])
  })

  it('ends when the server closes', async () => {
    const response = await fetch(`${base}/v1/projects/demo/events`)
    const reading = response.text()
    await server.app.close()
    expect(await reading).toContain('event: status')
  })

  it('ends a client that does not keep up with an error that says so', async () => {
    const response = await fetch(`${base}/v1/projects/demo/events`)
    for (let count = 0; count < 100; count += 1) publish('log', count)
    const events = await takeEvents(response, Number.POSITIVE_INFINITY)
    expect(events.at(-1)).toMatchObject({ event: 'error', data: { reason: 'lagged' } })
  })
})

describe('GET events of all projects', () => {
  it('are server-sent events too where no WebSocket is asked for', async () => {
    const response = await fetch(`${base}/v1/events`)
    publish('build', 1)
    publish('build', 2, 'other')
    expect((await takeEvents(response, 2)).map(({ data }) => data)).toEqual([1, 2])
  })
})

describe('the WebSocket', () => {
  const connect = (query: string, options = {}) =>
    new WebSocket(`${base.replace('http', 'ws')}/v1/events${query}`, options)

  it('gives the events of a project as JSON, replayed and live', async () => {
    publish('console', 'before')
    const socket = connect('?project=demo&after=0&types=console')
    const messages: string[] = []
    socket.on('message', (message) => messages.push(String(message)))
    await once(socket, 'open')
    publish('log', 'of another type')
    publish('console', 'after')
    await expect.poll(() => messages.length).toBe(2)
    expect(messages.map((message) => JSON.parse(message))).toMatchObject([
      { type: 'console', project: 'demo', data: 'before', id: expect.any(Number), at: expect.any(String) },
      { data: 'after' },
    ])
    socket.close()
    await expect.poll(() => open.size).toBe(0)
  })

  it.each([
    ['a foreign page', '', { origin: 'http://demo.localhost:4400' }, 403],
    ['a foreign name', '', { headers: { host: 'evil.example' } }, 403],
    ['a wrong key', '', { headers: { authorization: 'Bearer wrong' } }, 401],
    ['an unknown project', '?project=nobody', {}, 404],
    ['a bad query', '?after=x', {}, 400],
  ])('is not opened for %s', async (_who, query, options, status) => {
    const socket = connect(query, options)
    const [, response] = await once(socket, 'unexpected-response')
    expect(response.statusCode).toBe(status)
  })

  it('is not opened at other addresses', async () => {
    const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/projects`)
    const [error] = (await Promise.race([once(socket, 'close'), once(socket, 'error')])) as [unknown]
    expect(error).toBeDefined()
  })

  it('closes when the server does', async () => {
    const socket = connect('')
    await once(socket, 'open')
    const closed = once(socket, 'close')
    await server.app.close()
    expect((await closed)[0]).toBeGreaterThanOrEqual(1000)
  })
})
