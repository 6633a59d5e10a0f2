import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PreviewdError } from '../../src/errors.ts'
import { call, startServer, type TestServer } from './server.ts'

let server: TestServer
beforeEach(async () => {
  server = await startServer()
})
afterEach(() => server.close())

const files = { 'index.html': '<h1>hello</h1>' }

function push(body: object, query = '', headers: Record<string, string> = {}) {
  return call(server, 'POST', `/v1/projects/demo/changes${query}`, { body, headers })
}

async function queued(revision: number): Promise<void> {
  await expect.poll(() => server.store.builds.newest('demo')?.revision).toBe(revision)
}

describe('a batch of changes', () => {
  it('creates the project, makes a revision and is answered with the status', async () => {
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

  it('is refused with 409 and the current revision where it was made for another one', async () => {
    await push({ files })
    const answer = await push({ files: { 'index.html': 'other' }, baseRevision: 0 })
    expect(answer.statusCode).toBe(409)
    expect(answer.json()).toMatchObject({ code: 'REVISION_CONFLICT' })
    expect(server.store.projects.get('demo')?.revision).toBe(1)
  })

  it('is not taken for a project id that cannot be a host name', async () => {
    const answer = await call(server, 'POST', '/v1/projects/Not_A_Label/changes', { body: { files } })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ code: 'INVALID_PROJECT_ID' })
  })
})

describe('wait', () => {
  it('=built holds the answer until the build ended', async () => {
    const answering = push({ files }, '?wait=built')
    await queued(1)
    server.pipeline.finish('demo', 'succeeded')
    const answer = await answering
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({ status: { state: 'ready', build: { state: 'succeeded' } } })
  })

  it('=built is answered with 200 and the diagnostics where the build failed', async () => {
    const answering = push({ files }, '?wait=built')
    await queued(1)
    server.pipeline.finish('demo', 'failed', [
      {
        origin: 'build',
        severity: 'error',
        message: 'Unexpected token',
        file: 'src/App.tsx',
        line: 3,
        column: 10,
      },
    ])
    const answer = await answering
    expect(answer.statusCode).toBe(200)
    expect(answer.json().status).toMatchObject({
      state: 'error',
      diagnostics: [{ message: 'Unexpected token', file: 'src/App.tsx', line: 3, column: 10, count: 1 }],
    })
  })

  it('is answered with 202 and the status so far when the time is over', async () => {
    const answer = await push({ files }, '?wait=built&timeoutMs=1')
    expect(answer.statusCode).toBe(202)
    expect(answer.json()).toMatchObject({ revision: 1, status: { state: 'queued' } })
  })

  it('=built of a batch without a change returns at once where the revision is built', async () => {
    server.pipeline.automatic = true
    await push({ files })
    const answer = await push({ files }, '?wait=built')
    expect(answer.json()).toMatchObject({ changed: [], status: { state: 'ready' } })
  })

  it('=painted returns at once where nobody looks', async () => {
    const answer = await push({ files }, '?wait=painted')
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({ painted: null, reason: 'no_viewer', status: { painted: null } })
  })

  it('=live starts a session', async () => {
    server.pipeline.automatic = true
    const answer = await push({ files }, '?wait=live')
    expect(answer.json()).toMatchObject({ status: { session: { state: 'starting' } } })
  })

  it('=live is the build where there is no room for a session, and says so', async () => {
    server.pipeline.automatic = true
    server.pipeline.sessionRefusal = new PreviewdError('QUEUE_FULL', 'full')
    const answer = await push({ files }, '?wait=live')
    expect(answer.json()).toMatchObject({ reason: 'no_session', status: { state: 'ready' } })
  })

  it.each([
    '?wait=soon',
    '?wait=built&timeoutMs=120001',
    '?wait=built&timeoutMs=-1',
    '?timeoutMs=x',
    '?wait=',
  ])('%s is refused and nothing is applied', async (query) => {
    const answer = await push({ files }, query)
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ code: 'BAD_REQUEST' })
    expect(server.store.projects.get('demo')).toBeUndefined()
  })
})

describe('Idempotency-Key', () => {
  const key = { 'idempotency-key': 'batch-1' }

  it('gives a repeat what the first call did', async () => {
    const first = await push({ files }, '', key)
    await push({ files: { 'index.html': 'later' } })
    const repeat = await push({ files }, '', key)
    expect(repeat.json()).toMatchObject({ revision: 1, changed: first.json().changed })
    expect(repeat.headers['idempotency-replayed']).toBe('true')
    expect(server.store.projects.get('demo')?.revision).toBe(2)
  })

  it('lets a repeat wait for what the first call started', async () => {
    await push({ files }, '', key)
    const repeating = push({ files }, '?wait=built', key)
    server.pipeline.finish('demo', 'succeeded')
    expect((await repeating).json()).toMatchObject({ revision: 1, status: { state: 'ready' } })
  })

  it('makes a repeat at the same time wait for the first', async () => {
    const answers = await Promise.all([push({ files }, '', key), push({ files }, '', key)])
    expect(answers.map((answer) => answer.json().changed.length)).toEqual([1, 1])
    expect(answers.filter((answer) => answer.headers['idempotency-replayed'])).toHaveLength(1)
  })

  it('with another body is a conflict, and nothing is applied', async () => {
    await push({ files }, '', key)
    const answer = await push({ files: { 'index.html': 'other' } }, '', key)
    expect(answer.statusCode).toBe(409)
    expect(answer.json()).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' })
    expect(server.store.projects.get('demo')?.revision).toBe(1)
  })

  it('of another project is another key', async () => {
    await push({ files }, '', key)
    const other = await call(server, 'POST', '/v1/projects/other/changes', {
      body: { files: {} },
      headers: key,
    })
    expect(other.headers['idempotency-replayed']).toBeUndefined()
  })

  it('keeps no failure: the call can be tried again', async () => {
    server.pipeline.failNext(new PreviewdError('QUEUE_FULL', 'The queue is full.'))
    expect((await push({ files }, '', key)).statusCode).toBe(429)
    expect((await push({ files }, '', key)).json()).toMatchObject({ revision: 1 })
  })

  it('of a deleted project is forgotten', async () => {
    await push({ files }, '', key)
    await call(server, 'DELETE', '/v1/projects/demo')
    const again = await push({ files }, '', key)
    expect(again.headers['idempotency-replayed']).toBeUndefined()
    expect(again.json()).toMatchObject({ revision: 1, changed: [{ path: 'index.html', kind: 'added' }] })
  })

  it.each(['with space', 'x'.repeat(256)])('is refused where it is "%s"', async (bad) => {
    const answer = await push({ files }, '', { 'idempotency-key': bad })
    expect(answer.statusCode).toBe(400)
  })
})

describe('POST sync', () => {
  it('says that a pushed project has no source', async () => {
    await push({ files })
    const answer = await call(server, 'POST', '/v1/projects/demo/sync', {
      body: { changedFiles: [{ path: 'a' }] },
    })
    expect(answer.statusCode).toBe(422)
    expect(answer.json()).toMatchObject({ code: 'SOURCE_NOT_SUPPORTED' })
  })
})
