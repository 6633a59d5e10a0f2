import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { call, startServer, type TestServer, withDemo } from './server.ts'

let server: TestServer
beforeEach(async () => {
  server = await startServer({ PREVIEWD_ALLOWED_ENV: 'API_URL' })
})
afterEach(() => server.close())

const put = (body?: object | string, id = 'demo') =>
  call(server, 'PUT', `/v1/projects/${id}`, {
    ...(body !== undefined && { body }),
    headers: { 'content-type': 'application/json' },
  })

describe('PUT project', () => {
  it('creates it with 201 and changes it with 200', async () => {
    const created = await put({ name: 'Demo', framework: 'vite' })
    expect(created.statusCode).toBe(201)
    expect(created.headers.location).toBe('/v1/projects/demo')
    const changed = await put({ name: 'Other' })
    expect(changed.statusCode).toBe(200)
    expect(changed.json()).toMatchObject({ id: 'demo', name: 'Other', framework: 'vite', revision: 0 })
  })

  it.each([undefined, ''])('takes the defaults without a body', async (body) => {
    const answer = await put(body)
    expect(answer.statusCode).toBe(201)
    expect(answer.json()).toMatchObject({
      source: { kind: 'push' },
      framework: 'auto',
      spa: true,
      visibility: 'public',
      status: { state: 'empty' },
    })
  })

  it.each([
    ['an unknown member', { framwork: 'vite' }],
    ['an unknown framework', { framework: 'rails' }],
    ['a root outside', { root: '../other' }],
    ['an absolute output', { outputDir: '/etc' }],
    ['an environment name that the operator did not allow', { env: { SECRET: 'x' } }],
    ['an environment name in lower case', { env: { vite_x: 'x' } }],
    ['a value to keep that is not there', { env: { VITE_X: null } }],
    ['egress that the server does not have', { egress: 'public' }],
    ['a proxy target', { proxy: { '/api': 'https://example.org' } }],
    ['the mode that Vite keeps for itself', { mode: 'local' }],
    ['a mode with a space', { mode: 'a b' }],
    ['a command of two lines', { buildCommand: 'a\nb' }],
    ['a list', []],
  ])('refuses %s and creates nothing', async (_what, body) => {
    const answer = await put(body)
    expect(answer.statusCode).toBe(422)
    expect(answer.json()).toMatchObject({ code: 'SETTINGS_INVALID', status: 422 })
    expect(answer.json().errors[0]).toMatchObject({ path: expect.any(String), message: expect.any(String) })
    expect(server.store.projects.get('demo')).toBeUndefined()
  })

  it('keeps the values of env sets to itself, and those that are put back as null', async () => {
    const staging = { env: { VITE_A: 'hidden' }, mode: 'staging' }
    const made = await put({ envSets: { staging, qa: { env: {} } } })
    expect(made.json()).toMatchObject({
      envSets: { staging: { env: { VITE_A: null }, mode: 'staging' }, qa: { env: {} } },
    })
    await put({ envSets: { staging: { env: { VITE_A: null, VITE_B: 'b' } } } })
    expect(server.store.projects.get('demo')?.settings.envSets).toEqual({
      staging: { env: { VITE_A: 'hidden', VITE_B: 'b' } },
    })
  })

  it.each([
    ['a name that could be the id of a build', { experimental: { env: {} } }],
    ['a name with a capital', { Staging: { env: {} } }],
    ['a variable that the operator did not allow', { staging: { env: { SECRET: 'x' } } }],
    ['a value to keep that is not there', { staging: { env: { VITE_X: null } } }],
    ['too many', Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, { env: {} }]))],
  ])('refuses env sets with %s', async (_what, envSets) => {
    expect((await put({ envSets })).json()).toMatchObject({ code: 'SETTINGS_INVALID', status: 422 })
    expect(server.store.projects.get('demo')).toBeUndefined()
  })

  it('keeps proxy targets that the operator allows, and names the one that is not', async () => {
    await server.close()
    server = await startServer({ PREVIEWD_PROXY_TARGETS: 'https://*.example.org' })
    const kept = await put({ proxy: { '/api/': 'https://a.example.org/' } })
    expect(kept.json()).toMatchObject({ proxy: { '/api': 'https://a.example.org' } })
    const refused = await put({ proxy: { '/api': 'http://169.254.169.254' } })
    expect(refused.json()).toMatchObject({ code: 'SETTINGS_INVALID', errors: [{ path: 'proxy./api' }] })
    expect((await put({ proxy: {} })).json()).toMatchObject({ proxy: {} })
  })

  it('refuses a source that the server does not have', async () => {
    const answer = await put({ source: { kind: 'local', path: '/srv/app' } })
    expect(answer.json()).toMatchObject({ code: 'SOURCE_NOT_SUPPORTED', status: 422 })
  })

  it('refuses a body that is not JSON', async () => {
    expect((await put('{"name": ')).json()).toMatchObject({ code: 'INVALID_JSON', status: 400 })
    expect((await put('{"__proto__": {"name": "x"}}')).json()).toMatchObject({ code: 'INVALID_JSON' })
  })

  it.each(['-a', 'a-', 'a--b', 'A', 'a_b', 'x'.repeat(41), 'www', 'a.b'])('refuses the id %s', async (id) => {
    expect((await put({}, id)).json()).toMatchObject({ code: 'INVALID_PROJECT_ID', status: 400 })
  })

  it('gives an external id to one project only', async () => {
    await put({ externalId: 'p-1' })
    expect((await put({ externalId: 'p-1' })).statusCode).toBe(200)
    expect((await put({ externalId: 'p-1' }, 'other')).json()).toMatchObject({ code: 'SETTINGS_INVALID' })
  })

  it('never gives the value of a variable back, and keeps it where it is null', async () => {
    const answers = [
      await put({ env: { VITE_KEY: 'canary-value', API_URL: 'canary-value' } }),
      await put({ env: { VITE_KEY: null, VITE_OTHER: 'x' } }),
      await call(server, 'GET', '/v1/projects/demo'),
      await call(server, 'GET', '/v1/projects'),
    ]
    for (const answer of answers) expect(answer.body).not.toContain('canary-value')
    expect(answers[2]?.json().env).toEqual({ VITE_KEY: null, VITE_OTHER: null })
    expect(server.store.projects.get('demo')?.settings.env).toEqual({
      VITE_KEY: 'canary-value',
      VITE_OTHER: 'x',
    })
    expect(server.log.join('')).not.toContain('canary-value')
  })
})

describe('GET projects', () => {
  it('lists them in pages, newest activity first', async () => {
    for (const id of ['a', 'b', 'c']) await put({}, id)
    const first = (await call(server, 'GET', '/v1/projects?limit=2')).json()
    const second = (await call(server, 'GET', `/v1/projects?limit=2&cursor=${first.nextCursor}`)).json()
    const ids = [...first.items, ...second.items].map((item: { id: string }) => item.id)
    expect(ids).toEqual(['c', 'b', 'a'])
    expect(second.nextCursor).toBeNull()
  })

  it.each(['limit=0', 'limit=201', 'limit=x', 'cursor=%00'])('refuses ?%s', async (query) => {
    expect((await call(server, 'GET', `/v1/projects?${query}`)).json()).toMatchObject({ status: 400 })
  })

  it('gives one with its status', async () => {
    await withDemo(server)
    expect((await call(server, 'GET', '/v1/projects/demo')).json()).toMatchObject({
      id: 'demo',
      revision: 1,
      state: 'ready',
      urls: { preview: 'http://demo.localhost:4400/' },
      status: { build: { state: 'succeeded' } },
    })
  })
})

describe('DELETE project', () => {
  it('removes it, its grants and its events', async () => {
    await withDemo(server)
    expect((await call(server, 'DELETE', '/v1/projects/demo')).statusCode).toBe(204)
    expect((await call(server, 'DELETE', '/v1/projects/demo')).json()).toMatchObject({
      code: 'PROJECT_NOT_FOUND',
    })
    expect((await call(server, 'GET', '/v1/projects/demo')).statusCode).toBe(404)
  })
})

describe('an address below a project that does not exist', () => {
  it.each([
    ['GET', ''],
    ['GET', '/status'],
    ['GET', '/files'],
    ['GET', '/files/index.html'],
    ['GET', '/builds'],
    ['GET', '/builds/abcdefghijkl'],
    ['POST', '/builds'],
    ['POST', '/builds/abcdefghijkl/publish'],
    ['POST', '/builds/abcdefghijkl/cancel'],
    ['GET', '/logs'],
    ['GET', '/diagnostics'],
    ['GET', '/events'],
    ['GET', '/console'],
    ['GET', '/screenshot'],
    ['PUT', '/session'],
    ['GET', '/session'],
    ['DELETE', '/session'],
    ['DELETE', '/grants'],
    ['POST', '/sync'],
  ] as const)('%s %s is PROJECT_NOT_FOUND', async (method, path) => {
    const answer = await call(server, method, `/v1/projects/nobody${path}`)
    expect(answer.statusCode).toBe(404)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.json()).toMatchObject({ code: 'PROJECT_NOT_FOUND' })
  })
})

describe('a session', () => {
  beforeEach(() => withDemo(server))

  it('is started, looked at, kept alive and stopped', async () => {
    const started = await call(server, 'PUT', '/v1/projects/demo/session')
    expect([started.statusCode, started.json()]).toEqual([
      202,
      { state: 'starting', viewers: 0, restarts: 0 },
    ])
    server.pipeline.session = { state: 'live', revision: 1, viewers: 1, restarts: 0, startMs: 300 }
    const kept = await call(server, 'PUT', '/v1/projects/demo/session')
    expect([kept.statusCode, kept.json()]).toEqual([200, server.pipeline.session])
    expect((await call(server, 'GET', '/v1/projects/demo/session')).json()).toEqual(server.pipeline.session)
    expect((await call(server, 'GET', '/v1/projects/demo/status')).json()).toMatchObject({
      session: { state: 'live', revision: 1, viewers: 1 },
    })
    expect((await call(server, 'DELETE', '/v1/projects/demo/session')).statusCode).toBe(204)
    expect((await call(server, 'GET', '/v1/projects/demo/session')).json()).toMatchObject({ state: 'off' })
  })

  it('that there is not cannot be stopped', async () => {
    expect((await call(server, 'DELETE', '/v1/projects/demo/session')).json()).toMatchObject({
      code: 'SESSION_NOT_FOUND',
    })
    expect((await call(server, 'GET', '/v1/projects/demo/screenshot')).statusCode).toBe(501)
    expect((await call(server, 'GET', '/v1/projects/demo/console')).json()).toEqual({
      items: [],
      nextCursor: null,
    })
  })
})
