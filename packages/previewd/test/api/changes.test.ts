import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HOST, startServer, type TestServer } from './server.ts'

let server: TestServer
beforeEach(async () => {
  server = await startServer()
})
afterEach(() => server.close())

function push(body: object, query = '', headers: Record<string, string> = {}) {
  return server.app.inject({
    method: 'POST',
    url: `/v1/projects/demo/changes${query}`,
    headers: { ...HOST, ...headers },
    payload: body,
  })
}

const files = { 'index.html': '<h1>hello</h1>' }

describe('POST changes', () => {
  it('creates the project, makes a revision and answers with the status', async () => {
    const answer = await push({ files })
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({
      project: 'demo',
      revision: 1,
      changed: [{ path: 'index.html', kind: 'added' }],
      unchanged: 0,
      status: { project: 'demo', revision: 1, state: 'queued' },
    })
  })

  it('makes no revision of content that is there already', async () => {
    await push({ files })
    const answer = await push({ files })
    expect(answer.json()).toMatchObject({ revision: 1, changed: [], unchanged: 1 })
  })

  it('holds the answer with wait=built until the build ended', async () => {
    const answering = push({ files }, '?wait=built')
    await expect.poll(() => server.store.builds.newest('demo')?.state).toBe('queued')
    server.pipeline.finish('demo', 'succeeded')
    const answer = await answering
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({ status: { state: 'ready', build: { state: 'succeeded' } } })
  })
})
