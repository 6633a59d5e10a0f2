import { afterEach, describe, expect, it } from 'vitest'
import { call, startServer, type TestServer, withDemo } from './server.ts'

const KEY = 'operator-key-of-the-test'
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

let server: TestServer
afterEach(() => server.close())

async function startWithKey(): Promise<void> {
  server = await startServer({ PREVIEWD_API_KEY: KEY, PREVIEWD_ALLOWED_ORIGINS: 'https://app.example.org' })
}

/** A key that was made over the API. */
async function makeKey(scope: object): Promise<string> {
  const answer = await call(server, 'POST', '/v1/keys', {
    body: { name: 'test', scope },
    headers: bearer(KEY),
  })
  expect(answer.statusCode).toBe(201)
  return answer.json().key
}

describe('a server with a key', () => {
  it.each([
    ['no key', {}],
    ['a wrong key', bearer('wrong')],
    ['an empty key', bearer('')],
    ['another scheme', { authorization: `Basic ${KEY}` }],
    ['the bare key', { authorization: KEY }],
  ])('refuses %s', async (_what, headers) => {
    await startWithKey()
    for (const url of [
      '/v1/projects',
      '/v1/projects/demo',
      '/v1/keys',
      '/metrics',
      '/v1/events',
      '/logs/demo',
    ]) {
      const answer = await call(server, 'GET', url, { headers })
      expect(answer.statusCode, url).toBe(401)
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/)
      expect(answer.json()).toMatchObject({ code: 'UNAUTHORIZED' })
    }
  })

  it('refuses before it reads a body', async () => {
    await startWithKey()
    const answer = await call(server, 'POST', '/v1/projects/demo/changes', { body: '{' })
    expect(answer.statusCode).toBe(401)
  })

  it('takes the key', async () => {
    await startWithKey()
    expect((await call(server, 'GET', '/v1/projects', { headers: bearer(KEY) })).statusCode).toBe(200)
    expect(
      (await call(server, 'GET', '/v1/projects', { headers: { authorization: `bearer ${KEY}` } })).statusCode,
    ).toBe(200)
  })

  it.each([
    '/livez',
    '/readyz',
    '/healthz',
    '/health',
    '/openapi.json',
    '/docs',
    '/docs/static/swagger-ui.css',
    '/',
  ])('shows %s to everyone', async (url) => {
    await startWithKey()
    expect((await call(server, 'GET', url)).statusCode).toBe(200)
  })
})

describe('a key of one project', () => {
  it('does everything there and nothing elsewhere', async () => {
    await startWithKey()
    await withKeyDemo()
    const headers = bearer(await makeKey({ kind: 'project', project: 'demo' }))
    const changes = { body: { files: { a: 'a' } }, headers }
    expect((await call(server, 'POST', '/v1/projects/demo/changes', changes)).statusCode).toBe(200)
    expect((await call(server, 'GET', '/v1/projects/demo/status', { headers })).statusCode).toBe(200)
    expect((await call(server, 'GET', '/api/build/demo/status', { headers })).statusCode).toBe(200)
    const listed = (await call(server, 'GET', '/v1/projects', { headers })).json().items
    expect(listed.map((item: { id: string }) => item.id)).toEqual(['demo'])

    for (const [method, url] of [
      ['GET', '/v1/projects/other/status'],
      ['POST', '/v1/projects/other/changes'],
      ['GET', '/v1/projects/unknown'],
      ['GET', '/api/build/other/status'],
      ['GET', '/api/build/unknown/status'],
      ['GET', '/v1/events'],
      ['GET', '/v1/events?project=other'],
      ['GET', '/v1/keys'],
      ['POST', '/v1/keys'],
      ['GET', '/metrics'],
    ] as const) {
      const answer = await call(server, method, url, { headers })
      expect(answer.statusCode, `${method} ${url}`).toBe(403)
      expect(answer.json()).toMatchObject({ code: 'FORBIDDEN' })
    }
  })
})

describe('a read key', () => {
  it('reads everything and changes nothing', async () => {
    await startWithKey()
    await withKeyDemo()
    const headers = bearer(await makeKey({ kind: 'read' }))
    for (const url of [
      '/v1/projects',
      '/v1/projects/demo',
      '/v1/projects/demo/files',
      '/metrics',
      '/logs/demo',
    ]) {
      expect((await call(server, 'GET', url, { headers })).statusCode, url).toBe(200)
    }
    for (const [method, url] of [
      ['PUT', '/v1/projects/demo'],
      ['DELETE', '/v1/projects/demo'],
      ['POST', '/v1/projects/demo/changes'],
      ['POST', '/v1/projects/demo/builds'],
      ['POST', '/v1/projects/demo/grants'],
      ['POST', '/build/demo'],
      ['POST', '/sync-project/demo'],
      ['GET', '/v1/keys'],
    ] as const) {
      expect((await call(server, method, url, { headers })).statusCode, `${method} ${url}`).toBe(403)
    }
  })
})

describe('keys', () => {
  it('are shown once, listed without the key and stop when deleted', async () => {
    await startWithKey()
    const key = await makeKey({ kind: 'admin' })
    const list = await call(server, 'GET', '/v1/keys', { headers: bearer(key) })
    expect(list.body).not.toContain(key)
    const [{ id }] = list.json().items
    expect((await call(server, 'DELETE', `/v1/keys/${id}`, { headers: bearer(key) })).statusCode).toBe(204)
    expect((await call(server, 'GET', '/v1/keys', { headers: bearer(key) })).statusCode).toBe(401)
    const again = await call(server, 'DELETE', `/v1/keys/${id}`, { headers: bearer(KEY) })
    expect(again.json()).toMatchObject({ code: 'KEY_NOT_FOUND' })
  })

  it.each([
    {},
    { name: '', scope: { kind: 'admin' } },
    { name: 'x', scope: { kind: 'root' } },
    { name: 'x', scope: { kind: 'project' } },
    { name: 'x', scope: { kind: 'project', project: 'Not_Valid' } },
  ])('are not made of %j', async (body) => {
    await startWithKey()
    const answer = await call(server, 'POST', '/v1/keys', { body, headers: bearer(KEY) })
    expect(answer.json()).toMatchObject({ code: 'BAD_REQUEST' })
  })

  it('count on a server without a key of its own, and wrong ones are refused', async () => {
    server = await startServer()
    const made = await call(server, 'POST', '/v1/keys', { body: { name: 'r', scope: { kind: 'read' } } })
    const read = bearer(made.json().key)
    expect((await call(server, 'PUT', '/v1/projects/demo', { headers: read })).statusCode).toBe(403)
    expect((await call(server, 'GET', '/v1/projects', { headers: bearer('wrong') })).statusCode).toBe(401)
    expect((await call(server, 'PUT', '/v1/projects/demo')).statusCode).toBe(201)
  })

  it('never appear in the log', async () => {
    await startWithKey()
    const key = await makeKey({ kind: 'read' })
    await call(server, 'GET', '/v1/projects', { headers: bearer(key) })
    expect(server.log.join('')).not.toContain(key)
    expect(server.log.join('')).not.toContain(KEY)
  })
})

describe('grants', () => {
  it('come with a URL, and are gone after they were revoked', async () => {
    server = await startServer()
    await withDemo(server)
    const answer = await call(server, 'POST', '/v1/projects/demo/grants', {
      body: { role: 'viewer', expiresInSeconds: 60 },
    })
    expect(answer.statusCode).toBe(201)
    const { token, url, expiresAt } = answer.json()
    expect(url).toBe(`http://demo.localhost:4400/?previewd_grant=${token}`)
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now())
    expect((await call(server, 'DELETE', '/v1/projects/demo/grants')).statusCode).toBe(204)
  })

  it.each([
    {},
    { role: 'owner' },
    { role: 'viewer', expiresInSeconds: 0 },
    { role: 'viewer', expiresInSeconds: 1e9 },
  ])('are not issued for %j', async (body) => {
    server = await startServer()
    await withDemo(server)
    const answer = await call(server, 'POST', '/v1/projects/demo/grants', { body })
    expect(answer.json()).toMatchObject({ code: 'BAD_REQUEST' })
  })
})

describe('the Host header', () => {
  it.each(['evil.example', 'demo.localhost:4400', '127.0.0.1.evil.example'])(
    'is refused as "%s"',
    async (host) => {
      server = await startServer()
      for (const url of ['/v1/projects', '/', '/openapi.json', '/metrics', '/nothing']) {
        const answer = await call(server, 'GET', url, { headers: { host } })
        expect(answer.statusCode, url).toBe(403)
        expect(answer.json()).toMatchObject({ code: 'HOST_NOT_ALLOWED' })
      }
    },
  )

  it('may be any for load balancers that ask whether the server lives', async () => {
    server = await startServer()
    expect((await call(server, 'GET', '/readyz', { headers: { host: '10.2.3.4:4400' } })).statusCode).toBe(
      200,
    )
  })
})

describe('a page of another origin', () => {
  const foreign = [
    ['a preview', { origin: 'http://demo.localhost:4400' }],
    ['another site', { origin: 'https://evil.example' }],
    ['a sandboxed frame', { origin: 'null' }],
    ['another port of this machine', { origin: 'http://127.0.0.1:5173' }],
    ['an image or script tag', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
    ['a tag of a neighbour', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' }],
  ] as const

  it.each(foreign)('cannot call the API: %s', async (_what, headers) => {
    server = await startServer()
    await withDemo(server)
    for (const [method, url] of [
      ['GET', '/v1/projects'],
      ['POST', '/v1/projects/demo/changes'],
      ['DELETE', '/v1/projects/demo'],
      ['OPTIONS', '/v1/projects/demo'],
      ['POST', '/build/demo'],
    ] as const) {
      const answer = await call(server, method, url, { headers })
      expect(answer.statusCode, `${method} ${url}`).toBe(403)
      expect(answer.json()).toMatchObject({ code: 'ORIGIN_NOT_ALLOWED' })
      expect(answer.headers['access-control-allow-origin']).toBeUndefined()
    }
    expect(server.store.projects.get('demo')).toBeDefined()
  })

  it('cannot change anything with a form that the browser navigates', async () => {
    server = await startServer()
    const answer = await call(server, 'POST', '/build/demo', {
      headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
    })
    expect(answer.statusCode).toBe(403)
  })

  it('may link to what the API shows', async () => {
    server = await startServer()
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    expect((await call(server, 'GET', '/docs', { headers })).statusCode).toBe(200)
  })

  it('may call where the operator named it, preflight included', async () => {
    await startWithKey()
    const origin = 'https://app.example.org'
    const preflight = await call(server, 'OPTIONS', '/v1/projects/demo', {
      headers: {
        origin,
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'authorization',
      },
    })
    expect(preflight.statusCode).toBe(204)
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': expect.stringContaining('PUT'),
      'access-control-allow-headers': expect.stringContaining('authorization'),
      vary: 'Origin',
    })
    const refused = await call(server, 'GET', '/v1/projects', { headers: { origin } })
    expect(refused.statusCode).toBe(401)
    expect(refused.headers['access-control-allow-origin']).toBe(origin)
    const answer = await call(server, 'GET', '/v1/projects', { headers: { origin, ...bearer(KEY) } })
    expect(answer.statusCode).toBe(200)
  })
})

describe('the page of the API itself', () => {
  it('may call it', async () => {
    server = await startServer()
    const headers = { origin: 'http://127.0.0.1:4400', 'sec-fetch-site': 'same-origin' }
    expect((await call(server, 'PUT', '/v1/projects/demo', { headers })).statusCode).toBe(201)
  })
})

async function withKeyDemo(): Promise<void> {
  for (const id of ['demo', 'other'])
    await call(server, 'PUT', `/v1/projects/${id}`, { headers: bearer(KEY) })
}
