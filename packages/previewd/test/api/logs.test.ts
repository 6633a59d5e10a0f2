import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { takeEvents } from './read-events.ts'
import { call, startServer, type TestServer, withDemo } from './server.ts'

let server: TestServer
beforeEach(async () => {
  server = await startServer()
  await withDemo(server)
})
afterEach(() => server.close())

const startBuild = async () =>
  (await call(server, 'POST', '/v1/projects/demo/builds', { body: { force: true } })).json().id as string

describe('the log', () => {
  it('is plain text of the newest build, without colours and control characters', async () => {
    await startBuild()
    server.pipeline.write(
      'demo',
      '\u001b[32m✓\u001b[39m 34 modules\u0007 transformed.\u001b]8;;https://x\u0007',
    )
    server.pipeline.write('demo', 'left\u202eright', 'stderr')
    const answer = await call(server, 'GET', '/v1/projects/demo/logs')
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(answer.body).toBe('✓ 34 modules transformed.\nleftright\n')
  })

  it('is JSON with stream and time where that is asked for', async () => {
    const build = await startBuild()
    server.pipeline.write('demo', 'oops', 'stderr')
    const answer = await call(server, 'GET', '/v1/projects/demo/logs?format=json')
    expect(answer.json()).toEqual({
      build,
      lines: [{ at: expect.any(String), stream: 'stderr', text: 'oops' }],
    })
  })

  it('can be of an earlier build', async () => {
    const first = await startBuild()
    server.pipeline.write('demo', 'first')
    server.pipeline.finish('demo', 'succeeded')
    await startBuild()
    server.pipeline.write('demo', 'second')
    expect((await call(server, 'GET', `/v1/projects/demo/logs?build=${first}`)).body).toBe('first\n')
    expect((await call(server, 'GET', '/v1/projects/demo/logs?build=abcdefghijkl')).statusCode).toBe(404)
    expect((await call(server, 'GET', '/v1/projects/demo/logs?build=../x')).statusCode).toBe(404)
  })

  it('is empty where nothing was built yet', async () => {
    await call(server, 'PUT', '/v1/projects/empty')
    const answer = await call(server, 'GET', '/v1/projects/empty/logs')
    expect([answer.statusCode, answer.body]).toEqual([200, ''])
    const json = await call(server, 'GET', '/v1/projects/empty/logs?format=json')
    expect(json.json()).toEqual({ build: null, lines: [] })
  })
})

describe('following the log', () => {
  it('gives lines as they come and ends with the build', async () => {
    const build = await startBuild()
    server.pipeline.write('demo', 'before')
    const base = await server.listen()
    const response = await fetch(`${base}/v1/projects/demo/logs?follow=1`)
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    server.pipeline.write('demo', 'after')
    server.pipeline.finish('demo', 'succeeded')
    const events = await takeEvents(response, Number.POSITIVE_INFINITY)
    expect(events.map(({ event, id }) => [event, id])).toEqual([
      ['log', '1'],
      ['log', '2'],
      ['end', undefined],
    ])
    expect(events[0]?.data).toMatchObject({ stream: 'stdout', text: 'before' })
    expect(events[2]?.data).toEqual({ build, state: 'succeeded' })
  })

  it('continues after the line that a client saw last', async () => {
    await startBuild()
    for (const line of ['one', 'two', 'three']) server.pipeline.write('demo', line)
    server.pipeline.finish('demo', 'succeeded')
    const answer = await call(server, 'GET', '/v1/projects/demo/logs?follow', {
      headers: { 'last-event-id': '2' },
    })
    expect(answer.body).not.toContain('two')
    expect(answer.body).toContain('three')
  })
})
