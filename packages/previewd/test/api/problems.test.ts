import { readdir, readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { ERRORS, PreviewdError } from '../../src/errors.ts'
import { call, startServer, type TestServer, withDemo } from './server.ts'

let server: TestServer
afterEach(() => server.close())

describe('a problem', () => {
  it('has the members of RFC 9457 and a stable code', async () => {
    server = await startServer()
    const answer = await call(server, 'GET', '/v1/projects/nobody')
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(answer.json()).toEqual({
      type: '/docs/errors#PROJECT_NOT_FOUND',
      title: ERRORS.PROJECT_NOT_FOUND[1],
      status: 404,
      detail: 'There is no project nobody.',
      code: 'PROJECT_NOT_FOUND',
    })
  })

  it('has a type that leads to its explanation', async () => {
    server = await startServer()
    const page = await call(server, 'GET', '/docs/errors')
    expect(page.headers['content-type']).toContain('text/html')
    for (const code of Object.keys(ERRORS)) expect(page.body).toContain(`id="${code}"`)
  })

  it.each(Object.keys(ERRORS) as (keyof typeof ERRORS)[])(
    'carries %s of the pipeline to the client',
    async (code) => {
      server = await startServer()
      await withDemo(server)
      server.pipeline.failNext(
        new PreviewdError(code, 'One sentence.', { extra: { revision: 7, status: 1 } }),
      )
      const answer = await call(server, 'POST', '/v1/projects/demo/builds', { body: { force: true } })
      expect(answer.statusCode).toBe(ERRORS[code][0])
      expect(answer.json()).toMatchObject({
        code,
        status: ERRORS[code][0],
        detail: 'One sentence.',
        revision: 7,
      })
    },
  )

  it.each(['QUEUE_FULL', 'RATE_LIMITED', 'OVERLOADED', 'SHUTTING_DOWN'] as const)(
    'of the kind %s says when to try again',
    async (code) => {
      server = await startServer()
      await withDemo(server)
      server.pipeline.failNext(new PreviewdError(code, 'Busy.'))
      const answer = await call(server, 'POST', '/v1/projects/demo/builds', { body: { force: true } })
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    },
  )

  it('tells the client nothing of an unexpected failure, and the log all of it', async () => {
    server = await startServer()
    await withDemo(server)
    server.pipeline.failNext(new TypeError('canary of the inside'))
    const answer = await call(server, 'POST', '/v1/projects/demo/builds', { body: { force: true } })
    expect(answer.statusCode).toBe(500)
    expect(answer.json()).toMatchObject({ code: 'INTERNAL' })
    expect(answer.body).not.toContain('canary')
    expect(server.log.join('')).toContain('canary of the inside')
  })
})

describe('every code', () => {
  it('is used somewhere', async () => {
    const root = new URL('../../src/', import.meta.url)
    const files = (await readdir(root, { recursive: true })).filter((name) => /(?<!^errors)\.ts$/.test(name))
    const source = (await Promise.all(files.map((name) => readFile(new URL(name, root), 'utf8')))).join('')
    server = await startServer()
    expect(Object.keys(ERRORS).filter((code) => !source.includes(`'${code}'`))).toEqual([])
  })
})

describe('what no route is there for', () => {
  it.each(['/nothing', '/v1', '/v1/projects/demo/nothing', '/v2/projects', '/%zz', '/v1/projects/%'])(
    '%s is a problem',
    async (url) => {
      server = await startServer()
      const answer = await call(server, 'GET', url)
      expect([400, 404]).toContain(answer.statusCode)
      expect(answer.headers['content-type']).toContain('application/problem+json')
      expect(answer.json().code).toMatch(/^(NOT_FOUND|BAD_REQUEST|INVALID_PROJECT_ID)$/)
    },
  )

  it.each([
    ['PATCH', '/v1/projects/demo', 'GET, HEAD, PUT, DELETE, OPTIONS'],
    ['POST', '/v1/projects', 'GET, HEAD, OPTIONS'],
    ['GET', '/v1/projects/demo/changes', 'POST, OPTIONS'],
    ['DELETE', '/livez', 'GET, HEAD, OPTIONS'],
    ['PUT', '/build/demo', 'POST, OPTIONS'],
    ['POST', '/v1/projects/demo/files/src/App.tsx', 'GET, HEAD, OPTIONS'],
  ] as const)('%s %s says which methods there are', async (method, url, allow) => {
    server = await startServer()
    const answer = await call(server, method, url, method === 'GET' ? {} : { body: '{' })
    expect(answer.statusCode).toBe(405)
    expect(answer.headers.allow).toBe(allow)
    expect(answer.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' })
  })
})

describe('a body', () => {
  it.each([
    ['another type', { 'content-type': 'text/plain' }, 'x', 'UNSUPPORTED_MEDIA_TYPE'],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 'a=b', 'UNSUPPORTED_MEDIA_TYPE'],
    ['no JSON', { 'content-type': 'application/json' }, '{"force":', 'INVALID_JSON'],
    ['a poisoned prototype', { 'content-type': 'application/json' }, '{"__proto__":{}}', 'INVALID_JSON'],
    [
      'more than 1 MiB',
      { 'content-type': 'application/json' },
      `"${'x'.repeat(1024 * 1024)}"`,
      'PAYLOAD_TOO_LARGE',
    ],
  ] as const)('of %s is refused', async (_what, headers, body, code) => {
    server = await startServer()
    await withDemo(server)
    const answer = await call(server, 'POST', '/v1/projects/demo/builds', { body, headers })
    expect(answer.json()).toMatchObject({ code, status: ERRORS[code][0] })
  })
})

describe('what is no HTTP request', () => {
  it.each([
    ['garbage', 'hello\r\n\r\n', 400],
    ['headers of 100 kB', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, 431],
    [
      'two lengths',
      'POST /v1/projects/a/builds HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
    ],
    ['no Host', 'GET /v1/projects HTTP/1.1\r\n\r\n', 400],
    ['an empty Host', 'GET /v1/projects HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n', 403],
  ])('is answered and the connection ended: %s', async (_what, request, status) => {
    server = await startServer()
    const { port } = new URL(await server.listen())
    const socket = connect(Number(port), '127.0.0.1')
    socket.end(request)
    expect(await text(socket)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })
})

describe('every answer', () => {
  it.each(['/v1/projects', '/livez', '/nothing', '/openapi.json', '/docs', '/'])(
    'has the headers that keep a browser from using it otherwise: %s',
    async (url) => {
      server = await startServer()
      const { headers } = await call(server, 'GET', url)
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['content-security-policy']).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
      expect(headers['cross-origin-resource-policy']).toBe('same-origin')
      expect(headers['cache-control']).toBeDefined()
      expect(headers.server).toBeUndefined()
      expect(headers['x-powered-by']).toBeUndefined()
    },
  )
})

describe('overload', () => {
  it('refuses calls over the number per minute, and never the question whether the server lives', async () => {
    server = await startServer({ PREVIEWD_RATE_LIMIT: '3' })
    for (let count = 0; count < 3; count += 1) {
      expect((await call(server, 'GET', '/v1/projects')).statusCode).toBe(200)
    }
    const answer = await call(server, 'GET', '/v1/projects')
    expect(answer.statusCode).toBe(429)
    expect(answer.json()).toMatchObject({ code: 'RATE_LIMITED' })
    expect((await call(server, 'GET', '/livez')).statusCode).toBe(200)
  })
})
