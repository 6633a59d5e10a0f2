import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { call, startServer, type TestServer, withDemo } from './server.ts'

let server: TestServer
beforeEach(async () => {
  server = await startServer()
  await withDemo(server)
})
afterEach(() => server.close())

describe('POST builds', () => {
  it('queues a build and answers 202 with it', async () => {
    const answer = await call(server, 'POST', '/v1/projects/demo/builds', { body: { force: true } })
    expect(answer.statusCode).toBe(202)
    expect(answer.json()).toMatchObject({ project: 'demo', revision: 1, state: 'queued' })
    expect(answer.headers.location).toBe(`/v1/projects/demo/builds/${answer.json().id}`)
  })

  it('joins the build that is under way', async () => {
    const [first, second] = [
      await call(server, 'POST', '/v1/projects/demo/builds', { body: { force: true } }),
      await call(server, 'POST', '/v1/projects/demo/builds'),
    ]
    expect(second.json().id).toBe(first.json().id)
  })

  it('carries the build and the status with wait=built', async () => {
    server.pipeline.automatic = true
    const answer = await call(server, 'POST', '/v1/projects/demo/builds?wait=built', {
      body: { force: true },
    })
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({ state: 'succeeded', status: { state: 'ready' } })
  })

  it('waits for the build of a project without files', async () => {
    await call(server, 'PUT', '/v1/projects/empty')
    const url = '/v1/projects/empty/builds?wait=built&timeoutMs=0'
    expect((await call(server, 'POST', url)).statusCode).toBe(202)
    server.pipeline.finish('empty', 'failed')
    expect(server.store.builds.newest('empty')).toMatchObject({ state: 'failed' })
  })

  it('starts one build for one Idempotency-Key', async () => {
    const request = { body: { force: true }, headers: { 'idempotency-key': 'k' } }
    const first = await call(server, 'POST', '/v1/projects/demo/builds', request)
    const second = await call(server, 'POST', '/v1/projects/demo/builds', request)
    expect(second.json().id).toBe(first.json().id)
    const other = await call(server, 'POST', '/v1/projects/demo/builds', {
      ...request,
      body: { force: false },
    })
    expect(other.json()).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' })
  })

  it('refuses a body that does not fit', async () => {
    const answer = await call(server, 'POST', '/v1/projects/demo/builds', { body: { force: 'yes' } })
    expect(answer.json()).toMatchObject({ code: 'BAD_REQUEST', errors: [{ path: 'force' }] })
  })
})

describe('the history of builds', () => {
  it('comes in pages, newest first', async () => {
    server.pipeline.automatic = true
    for (let count = 0; count < 2; count += 1) {
      await call(server, 'POST', '/v1/projects/demo/builds', { body: { force: true } })
    }
    const first = (await call(server, 'GET', '/v1/projects/demo/builds?limit=2')).json()
    const rest = (
      await call(server, 'GET', `/v1/projects/demo/builds?limit=2&cursor=${first.nextCursor}`)
    ).json()
    expect(first.items).toHaveLength(2)
    expect(rest.items).toHaveLength(1)
    expect(rest.nextCursor).toBeNull()
    const one = await call(server, 'GET', `/v1/projects/demo/builds/${rest.items[0].id}`)
    expect(one.json()).toEqual(rest.items[0])
  })

  it.each(['abcdefghijkl', 'x', '..', '%2e%2e%2fother', "a' or 1=1"])('has no build %s', async (id) => {
    for (const path of ['', '/publish', '/cancel']) {
      const method = path === '' ? 'GET' : 'POST'
      const answer = await call(server, method, `/v1/projects/demo/builds/${encodeURIComponent(id)}${path}`)
      expect(answer.statusCode).toBe(404)
    }
  })
})

describe('publish and cancel', () => {
  it('publishes an earlier good build', async () => {
    const { id } = server.store.builds.newest('demo') ?? { id: '' }
    const answer = await call(server, 'POST', `/v1/projects/demo/builds/${id}/publish`)
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({ published: { buildId: id, revision: 1 } })
  })

  it('does not publish what did not succeed', async () => {
    const { id } = (await call(server, 'POST', '/v1/projects/demo/builds', { body: { force: true } })).json()
    server.pipeline.finish('demo', 'failed')
    const answer = await call(server, 'POST', `/v1/projects/demo/builds/${id}/publish`)
    expect(answer.json()).toMatchObject({ code: 'BUILD_NOT_PUBLISHABLE', status: 409 })
  })

  it('cancels a build', async () => {
    const { id } = (await call(server, 'POST', '/v1/projects/demo/builds', { body: { force: true } })).json()
    const answer = await call(server, 'POST', `/v1/projects/demo/builds/${id}/cancel`)
    expect(answer.json()).toMatchObject({ id, state: 'canceled' })
  })
})
