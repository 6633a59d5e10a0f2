import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { parseOriginPattern } from '../../src/lib/origin-pattern.ts'
import type { BackendOptions } from '../../src/serve/gateway-options.ts'
import { HandWrittenUpstream } from './hand-written-upstream.ts'
import { type Answer, PreviewServer } from './preview-server.ts'
import { TlsProxy } from './tls-proxy.ts'

const NAVIGATION = { 'sec-fetch-mode': 'navigate', accept: 'text/html' }
const FETCH = { 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' }

let backend: HandWrittenUpstream
let server: PreviewServer
let options: BackendOptions
const host = (label = 'demo'): string => `${label}.localhost:${server.port}`
const get = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
  server.get(host(), path, headers, method)
const answerWith = (status: number, headers: Record<string, string | string[]>, body = 'backend'): void => {
  backend.answer = (_req, res) => res.writeHead(status, headers).end(body)
}

/** A request that is still open: the test writes to it and reads from it. */
function send(path: string, headers: Record<string, string> = {}, method = 'POST'): ClientRequest {
  return request({
    host: '127.0.0.1',
    port: server.port,
    path,
    method,
    headers: { host: host(), ...headers },
    agent: false,
  })
}

async function start(changed: Partial<BackendOptions> = {}, proxy?: Record<string, string>): Promise<void> {
  options = {
    targets: [parseOriginPattern('http://127.0.0.1:*'), parseOriginPattern('http://localhost:*')],
    timeoutMs: 5_000,
    requestsPerProject: 10,
    bodyBytes: 1024 * 1024,
    isOwnPort: (port) => port === server.port,
    ...changed,
  }
  server = await PreviewServer.start({ backends: options })
  await server.addSite(
    'demo',
    { 'index.html': 'the app', 'api/file.json': '"published"' },
    { proxy: proxy ?? { '/api': backend.origin } },
  )
}

async function restart(changed: Partial<BackendOptions>, proxy?: Record<string, string>): Promise<void> {
  await server.stop()
  await start(changed, proxy)
}

beforeEach(async () => {
  backend = await HandWrittenUpstream.startAtPort()
  await start()
})
afterEach(async () => {
  await server.stop()
  await backend[Symbol.asyncDispose]()
})

describe('a request below a prefix', () => {
  test('goes to the back end, at the origin of the project and of each build; all others to the app', async () => {
    answerWith(201, { 'x-app': 'yes', 'content-type': 'application/json' }, '{"a":1}')
    for (const label of ['demo', 'build0000001--demo']) {
      const answer = await server.get(host(label), '/api/users%2F1?q=%20a&q=b', FETCH)
      expect([answer.status, answer.text, answer.headers['x-app']]).toEqual([201, '{"a":1}', 'yes'])
    }
    expect(backend.seen.map(({ url }) => url)).toEqual(Array(2).fill('/api/users%2F1?q=%20a&q=b'))
    expect((await get('/', NAVIGATION)).text).toBe('the app')
    expect((await get('/apis', NAVIGATION)).text).toBe('the app')
    expect(backend.seen).toHaveLength(2)
  })

  test('may be of any method, with its body', async () => {
    backend.answer = (req, res) => req.pipe(res.setHeader('x-method', req.method ?? ''))
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const req = send('/api', { 'content-length': '4' }, method).end('body')
      const [res] = (await once(req, 'response')) as [IncomingMessage]
      expect([res.headers['x-method'], (await res.toArray()).join('')]).toEqual([method, 'body'])
    }
    expect((await get('/api', {}, 'HEAD')).headers['x-method']).toBe('HEAD')
    expect((await get('/api', {}, 'OPTIONS')).headers['x-method']).toBe('OPTIONS')
  })

  test('streams both ways at once', async () => {
    backend.answer = (req, res) => req.pipe(res)
    const req = send('/api/stream')
    req.write('first')
    const [res] = await once(req, 'response')
    expect(String((await once(res, 'data'))[0])).toBe('first')
    req.end(' second')
    expect(String((await once(res, 'data'))[0])).toBe(' second')
  })

  test('is forwarded where a session is live, too', async () => {
    const dev = await HandWrittenUpstream.start()
    await server.stop()
    server = await PreviewServer.start({
      backends: options,
      sessions: {
        address: () => ({ socket: dev.socket, revision: 1, generation: 'one' }),
        untilLive: async () => undefined,
        recorded: async () => undefined,
        view: () => ({ state: 'live', viewers: 0, restarts: 0 }),
      },
    })
    server.editor = true
    await server.addSite('demo', {}, { proxy: { '/api': backend.origin } })
    answerWith(200, {}, 'backend')
    expect((await get('/api/x')).text).toBe('backend')
    expect((await get('/src/main.ts')).text).toBe('upstream')
    await dev[Symbol.asyncDispose]()
  })

  test('brings the app its cookies and headers, and the target its own Host, but nothing of previewd', async () => {
    server.tokens.set('viewer', 'demo:viewer')
    await get('/api/a?x=1&previewd_grant=viewer', {
      cookie: 'app=1; __Host-previewd-demo=viewer; other=2',
      authorization: 'Bearer app',
      connection: 'keep-alive, x-hop',
      'x-hop': '1',
      te: 'trailers',
      'proxy-authorization': 'Basic eDp5',
      referer: `http://${host()}/?previewd_grant=viewer`,
      origin: `http://${host()}`,
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-proto': 'https',
    })
    const { headers, url } = backend.seen[0] ?? {}
    expect(url).toBe('/api/a?x=1')
    expect(headers).toMatchObject({
      host: `127.0.0.1:${backend.port}`,
      cookie: 'app=1; other=2',
      authorization: 'Bearer app',
      origin: `http://${host()}`,
      'x-forwarded-for': '203.0.113.7, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': host(),
    })
    for (const name of ['x-hop', 'te', 'proxy-authorization', 'referer'])
      expect(headers).not.toHaveProperty(name)
    await get('/api/a', { authorization: 'Bearer pvd_own' })
    expect(backend.seen[1]?.headers).not.toHaveProperty('authorization')
  })

  test('of a private project needs a grant, which the back end never sees', async () => {
    await server.addSite('secret', {}, { visibility: 'private', proxy: { '/api': backend.origin } })
    server.tokens.set('viewer', 'secret:viewer')
    const ask = (headers: Record<string, string>, path = '/api') => server.get(host('secret'), path, headers)
    expect((await ask({})).status).toBe(401)
    expect(backend.seen).toEqual([])
    expect((await ask({ cookie: '__Host-previewd-secret=viewer' })).status).toBe(200)
    const opened = await ask(NAVIGATION, '/api/login?previewd_grant=viewer')
    expect([opened.status, opened.headers.location]).toEqual([303, '/api/login'])
    expect(backend.seen).toHaveLength(1)
  })

  test('of a page of another origin is refused, and a navigation from there is not', async () => {
    for (const headers of [
      { origin: `http://other.localhost:${server.port}` },
      { origin: 'null', 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-mode': 'no-cors', 'sec-fetch-site': 'same-site' },
    ]) {
      expect(JSON.parse((await get('/api', headers)).text)).toMatchObject({ code: 'ORIGIN_NOT_ALLOWED' })
    }
    expect(backend.seen).toEqual([])
    expect((await get('/api/callback', { ...NAVIGATION, 'sec-fetch-site': 'cross-site' })).text).toBe(
      'upstream',
    )
  })

  test('that is for previewd, a service worker, or leaves the prefix never reaches the back end', async () => {
    await server.addSite('wide', {}, { proxy: { '/a': backend.origin, '/.previewd': backend.origin } })
    for (const path of [
      '/a/../.previewd/x',
      '/a/%2e%2e/x',
      '/a/..%2fx',
      '/a/%2e%2e%2f%2e%2e',
      '/a/..%5cx',
      '/a/..;b=1/x',
      '/a/%00',
      '//a/x',
      '/%',
    ]) {
      await server.get(host('wide'), path, NAVIGATION)
    }
    const worker = await server.get(host('wide'), '/a/sw.js', { 'service-worker': 'script' })
    expect(worker.status).toBe(403)
    expect(backend.seen).toEqual([])
  })

  test('goes to the longest prefix, behind the path of its target', async () => {
    const other = await HandWrittenUpstream.startAtPort()
    await server.addSite('two', {}, { proxy: { '/api': backend.origin, '/api/v2': `${other.origin}/base` } })
    await server.get(host('two'), '/api/v2/users')
    await server.get(host('two'), '/api/v20')
    expect(other.seen.map(({ url }) => url)).toEqual(['/base/api/v2/users'])
    expect(backend.seen.map(({ url }) => url)).toEqual(['/api/v20'])
    await other[Symbol.asyncDispose]()
  })

  test('of a path mode that has an origin for browsers is sent there, of any other told about it', async () => {
    server.setStatus('demo', { urls: { preview: server.originOf('demo'), path: '' } })
    const ask = (method: string) =>
      server.get(`127.0.0.1:${server.port}`, '/preview/demo/api/x?a=1', {}, method)
    const answer = await ask('POST')
    expect([answer.status, answer.headers.location]).toEqual([307, `${server.originOf('demo')}/api/x?a=1`])
    await server.stop()
    server = await PreviewServer.start({ backends: options, pathMode: 'sandboxed' })
    await server.addSite('demo', {}, { proxy: { '/api': backend.origin } })
    expect((await ask('GET')).status).toBe(404)
    expect(backend.seen).toEqual([])
  })
})

describe('an answer of a back end', () => {
  test('is for no shared cache where the project is private', async () => {
    await server.addSite('secret', {}, { visibility: 'private', proxy: { '/api': backend.origin } })
    server.tokens.set('viewer', 'secret:viewer')
    const cacheControl = async (given: string | undefined, label = 'secret') => {
      answerWith(200, given === undefined ? {} : { 'cache-control': given })
      const cookie = '__Host-previewd-secret=viewer'
      return (await server.get(host(label), '/api/x', { cookie })).headers['cache-control']
    }
    expect(await cacheControl(undefined)).toBe('private')
    expect(await cacheControl('public, max-age=60, s-maxage=600, immutable')).toBe(
      'private, max-age=60, immutable',
    )
    expect(await cacheControl('no-store')).toBe('private, no-store')
    expect(await cacheControl('public, max-age=60', 'demo')).toBe('public, max-age=60')
    expect(await cacheControl(undefined, 'demo')).toBeUndefined()
  })

  test('loses what would reach beyond the preview', async () => {
    answerWith(200, {
      'x-own': 'kept',
      'clear-site-data': '"*"',
      'strict-transport-security': 'max-age=1',
      'service-worker-allowed': '/',
      'x-accel-redirect': '/etc/passwd',
      connection: 'close, x-hop',
      'x-hop': '1',
      'access-control-allow-origin': '*',
    })
    const { headers } = await get('/api')
    expect(Object.keys(headers).toSorted()).toEqual([
      'access-control-allow-origin',
      'connection',
      'date',
      'transfer-encoding',
      'x-content-type-options',
      'x-own',
      'x-robots-tag',
    ])
  })

  test('sets its cookies for the preview alone, below the path that the page knows', async () => {
    await server.addSite('based', {}, { proxy: { '/api': `${backend.origin}/base` } })
    answerWith(200, {
      'set-cookie': [
        'a=1; Domain=127.0.0.1; Path=/base/api; HttpOnly; SameSite=Lax',
        'b=2; path=/; Secure; SameSite=None; Partitioned',
        'c=3; Path=/elsewhere',
        'd="x=y"; Max-Age=60; Path=/base',
        '__Host-previewd-based=forged; Path=/; Secure',
      ],
    })
    const ask = async (headers: Record<string, string> = {}, name = host('based')) =>
      (await server.get(name, '/api', headers)).headers['set-cookie']
    const kept = ['a=1; Path=/api; HttpOnly; SameSite=Lax', 'c=3; Path=/', 'd="x=y"; Max-Age=60; Path=/']
    const whole = kept.toSpliced(1, 0, 'b=2; Path=/; Secure; SameSite=None; Partitioned')
    expect(await ask()).toEqual(whole)
    expect(await ask({ 'x-forwarded-proto': 'https' })).toEqual(whole)
  })

  test('keeps no secure cookie on a plain http name, where browsers would refuse it', async () => {
    await server.stop()
    server = await PreviewServer.start({ backends: options, previewDomain: () => 'previews.example' })
    await server.addSite('demo', {}, { proxy: { '/api': backend.origin } })
    answerWith(200, { 'set-cookie': 'b=2; Path=/; Secure; SameSite=None; Partitioned' })
    const ask = async (headers: Record<string, string>) =>
      (await server.get('demo.previews.example', '/api', headers)).headers['set-cookie']
    expect(await ask({})).toEqual(['b=2; Path=/'])
    expect(await ask({ 'x-forwarded-proto': 'https' })).toEqual([
      'b=2; Path=/; Secure; SameSite=None; Partitioned',
    ])
  })

  test('that redirects within the target stays at the preview, and is not followed', async () => {
    await server.addSite('based', {}, { proxy: { '/api': `${backend.origin}/base` } })
    const locationOf = async (location: string, label = 'demo') => {
      answerWith(302, { location })
      return (await server.get(host(label), '/api/x')).headers.location
    }
    expect(await locationOf(`${backend.origin}/api/login?next=1#a`)).toBe('/api/login?next=1#a')
    expect(await locationOf(`https://127.0.0.1:${backend.port}/api/x/`)).toBe('/api/x/')
    expect(await locationOf(`//127.0.0.1:${backend.port}//evil.example`)).toBe('/evil.example')
    expect(await locationOf('/login')).toBe('/login')
    expect(await locationOf('next')).toBe('next')
    expect(await locationOf('https://accounts.example/authorize')).toBe('https://accounts.example/authorize')
    expect(await locationOf('/base/api/y', 'based')).toBe('/api/y')
    expect(await locationOf(`${backend.origin}/base/api/y`, 'based')).toBe('/api/y')
    expect(await locationOf(`${backend.origin}/other`, 'based')).toBe(`${backend.origin}/other`)
    expect(backend.seen).toHaveLength(9)
  })

  test('that is a stream of events arrives event by event, and ends for the back end when the client goes', async () => {
    const closed = Promise.withResolvers<void>()
    const next = Promise.withResolvers<void>()
    backend.answer = (_req, res) => {
      res.on('close', closed.resolve)
      res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      void next.promise.then(() => res.write('data: 1\n\n'))
    }
    const req = send('/api/events').end()
    const [res] = (await once(req, 'response')) as [IncomingMessage]
    expect(res.headers['content-type']).toBe('text/event-stream')
    next.resolve()
    expect(String((await once(res, 'data'))[0])).toBe('data: 1\n\n')
    req.destroy()
    await closed.promise
  })

  test('that breaks off midway breaks off for the client', async () => {
    backend.answer = (req, res) => {
      res.writeHead(200, { 'content-length': '100' })
      res.write('half', () => req.socket.destroy())
    }
    await expect(get('/api')).rejects.toThrow('aborted')
    backend.answer = (req, res) => void res.write('half', () => req.socket.destroy())
    await expect(get('/api')).rejects.toThrow('aborted')
  })

  test('that falls silent midway is not waited for without end', async () => {
    // Long enough for the answer to begin, however busy the machine is.
    await restart({ timeoutMs: 1000 })
    const closed = Promise.withResolvers<void>()
    backend.answer = (_req, res) => {
      res.on('close', closed.resolve)
      res.writeHead(200, { 'content-length': '100' }).write('half')
    }
    await expect(get('/api')).rejects.toThrow('aborted')
    await closed.promise
  })
})

describe('a back end that does not answer', () => {
  const problem = async (path = '/api/x'): Promise<Record<string, unknown>> => {
    const answer = await get(path, FETCH)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.status).toBe(JSON.parse(answer.text).status)
    return JSON.parse(answer.text)
  }

  test('is named with its prefix and what went wrong: in a page for navigations, in a problem for fetches', async () => {
    const { origin } = backend
    await backend[Symbol.asyncDispose]()
    expect(await problem()).toMatchObject({
      status: 502,
      code: 'BACKEND_UNREACHABLE',
      prefix: '/api',
      target: origin,
      detail: `Requests below /api go to ${origin}, which refuses connections: nothing listens there.`,
    })
    const page = await get('/api/x', NAVIGATION)
    expect([page.status, page.headers['content-type']]).toEqual([502, 'text/html; charset=utf-8'])
    expect(page.text).toContain('The back end does not answer')
    expect(page.text).toContain(`Requests below /api go to ${origin}`)
    expect(server.logged).toEqual([])
  })

  test('because it hangs is given up after the time-out, also when it trickles', async () => {
    await restart({ timeoutMs: 100 })
    backend.answer = () => undefined
    const hanging = {
      status: 504,
      code: 'BACKEND_TIMEOUT',
      detail: expect.stringMatching(/did not answer within 0\.1 s/),
    }
    expect(await problem()).toMatchObject(hanging)
    const trickling = createTcpServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.write('HTTP/1.1 200 OK\r\n')
      const timer = setInterval(() => socket.write('x: y\r\n'), 20)
      socket.on('close', () => clearInterval(timer))
    })
    trickling.listen(0, '127.0.0.1')
    await once(trickling, 'listening')
    const { port } = trickling.address() as { port: number }
    server.addProject('demo', { proxy: { '/api': `http://127.0.0.1:${port}` } })
    expect(await problem()).toMatchObject(hanging)
    trickling.close()
  })

  test('because it breaks off, or speaks something else, is told apart', async () => {
    backend.answer = (req) => req.socket.destroy()
    expect(await problem()).toMatchObject({ detail: expect.stringContaining('broke off') })
    const other = createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n'))
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    server.addProject('demo', { proxy: { '/api': `http://127.0.0.1:${port}` } })
    expect(await problem()).toMatchObject({ detail: expect.stringContaining('no HTTP') })
    other.close()
    server.addProject('demo', { proxy: { '/api': 'http://nowhere.invalid' } })
    await restart(
      // A lost question to the name server is asked again after five seconds.
      { targets: [parseOriginPattern('http://nowhere.invalid')], timeoutMs: 60_000 },
      { '/api': 'http://nowhere.invalid' },
    )
    expect(await problem()).toMatchObject({ detail: expect.stringContaining('could not be resolved') })
  })

  test('over TLS because of its certificate is told apart, and one that is trusted answers', async () => {
    await using secure = await TlsProxy.start(backend.port)
    const trusted = getCACertificates('default')
    const target = `https://localhost:${secure.port}`
    await restart({ targets: [parseOriginPattern('https://localhost:*')] }, { '/api': target })
    expect(await problem()).toMatchObject({
      code: 'BACKEND_UNREACHABLE',
      detail: expect.stringContaining('over TLS (DEPTH_ZERO_SELF_SIGNED_CERT)'),
    })
    setDefaultCACertificates([...trusted, secure.certificate])
    onTestFinished(() => setDefaultCACertificates(trusted))
    expect((await get('/api')).text).toBe('upstream')
    expect(backend.seen[0]?.headers).toMatchObject({ host: `localhost:${secure.port}` })
  })

  test('because it closed a kept connection just then is asked once more', async () => {
    expect((await get('/api')).text).toBe('upstream')
    let first = true
    backend.answer = (req, res) => {
      if (!first) return void res.end('again')
      first = false
      req.socket.destroy()
    }
    expect((await get('/api')).text).toBe('again')
  })

  test('is not asked once more for what must not be done twice', async () => {
    let asked = 0
    expect((await get('/api')).text).toBe('upstream')
    backend.answer = (req) => {
      asked++
      req.socket.destroy()
    }
    expect((await get('/api', {}, 'POST')).status).toBe(502)
    expect(asked).toBe(1)
  })

  test('is not asked where the operator does not allow it, at a private address, or where it is this server', async () => {
    await restart({ targets: [parseOriginPattern('https://api.example.org')] })
    expect(await problem()).toMatchObject({ status: 502, code: 'BACKEND_NOT_ALLOWED' })
    await restart({ targets: [parseOriginPattern('http://*:*')] })
    expect(await problem()).toMatchObject({
      code: 'BACKEND_NOT_ALLOWED',
      detail: expect.stringContaining('not public'),
    })
    await restart(
      { targets: [parseOriginPattern('http://*:*')] },
      { '/api': `http://localhost:${backend.port}` },
    )
    expect(await problem()).toMatchObject({ detail: expect.stringContaining('not public') })
    expect(backend.seen).toEqual([])
    await restart({})
    for (const target of [`http://127.0.0.1:${server.port}`, `http://localhost:${server.port}`]) {
      server.addProject('demo', { proxy: { '/api': target } })
      expect(await problem()).toMatchObject({ detail: expect.stringContaining('leads back to this server') })
    }
  })

  test('is not asked by a request that has passed here before', async () => {
    await get('/api')
    const { via } = backend.seen[0]?.headers ?? {}
    const answer = await get('/api', { via: String(via) })
    expect(JSON.parse(answer.text)).toMatchObject({ detail: expect.stringContaining('leads back') })
    expect(backend.seen).toHaveLength(1)
  })
})

describe('limits', () => {
  test('a body over the limit is refused, announced or not, and the next request is answered', async () => {
    await restart({ bodyBytes: 1000 })
    backend.answer = (req, res) => void req.resume().on('end', () => res.end('taken'))
    const statusOf = async (req: ClientRequest): Promise<number | undefined> => {
      req.on('error', () => undefined)
      const [res] = (await once(req, 'response')) as [IncomingMessage]
      return res.statusCode
    }
    const announced = send('/api', { 'content-length': '1001' })
    announced.write('x')
    expect(await statusOf(announced)).toBe(413)
    const streamed = send('/api')
    streamed.write(Buffer.alloc(600))
    streamed.write(Buffer.alloc(600))
    expect(await statusOf(streamed)).toBe(413)
    const whole = send('/api')
    whole.end(Buffer.alloc(1000))
    expect(await statusOf(whole)).toBe(200)
  })

  test('a project has so many requests at once; others are not touched by it', async () => {
    await restart({ requestsPerProject: 2 })
    await server.addSite('other', {}, { proxy: { '/api': backend.origin } })
    const hold = Promise.withResolvers<void>()
    const waiting: Promise<Answer>[] = []
    const arrived = new Promise<void>((resolve) => {
      backend.answer = (_req, res) => {
        if (backend.seen.length === 2) resolve()
        void hold.promise.then(() => res.end('late'))
      }
    })
    waiting.push(get('/api'), get('/api'))
    await arrived
    const refused = await get('/api', FETCH)
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1'])
    hold.resolve()
    expect((await server.get(host('other'), '/api')).text).toBe('late')
    expect((await Promise.all(waiting)).map(({ text }) => text)).toEqual(['late', 'late'])
    expect((await get('/api')).text).toBe('late')
  })

  test('a connection to a back end is used again by the same project, and never by another', async () => {
    await server.addSite('other', {}, { proxy: { '/api': backend.origin } })
    const ports = async (label: string) => {
      await server.get(host(label), '/api')
      return backend.seen.at(-1)?.socket.remotePort
    }
    const first = await ports('demo')
    expect(await ports('demo')).toBe(first)
    expect(await ports('other')).not.toBe(first)
    expect(await ports('demo')).toBe(first)
  })
})

describe('a WebSocket below a prefix', () => {
  const open = (path: string, headers: Record<string, string> = {}, label = 'demo'): WebSocket =>
    new WebSocket(`ws://127.0.0.1:${server.port}${path}`, 'chat', {
      headers: { host: host(label), ...headers },
    })
  const refusal = async (socket: WebSocket): Promise<string> => (await once(socket, 'error'))[0].message
  const echo = (): void => {
    const sockets = new WebSocketServer({ noServer: true })
    backend.upgrade = (req, socket, head) => {
      sockets.handleUpgrade(req, socket, head, (opened) => {
        opened.on('message', (content) => opened.send(`echo ${content}`))
      })
    }
  }

  test('speaks with the back end, for every viewer, at the origin of a build, too', async () => {
    echo()
    for (const label of ['demo', 'build0000001--demo']) {
      const origin = `http://${host(label)}`
      const socket = open('/api/ws?room=1', { cookie: '__Host-previewd-demo=t; a=1', origin }, label)
      await once(socket, 'open')
      socket.send('hello')
      expect(String((await once(socket, 'message'))[0])).toBe('echo hello')
      expect([socket.protocol, backend.seen.at(-1)?.url]).toEqual(['chat', '/api/ws?room=1'])
      expect(backend.seen.at(-1)?.headers).toMatchObject({
        host: `127.0.0.1:${backend.port}`,
        cookie: 'a=1',
        origin,
      })
      socket.close()
      await once(socket, 'close')
    }
  })

  test('is refused to pages of other origins and to who may not see the project', async () => {
    echo()
    await server.addSite('secret', {}, { visibility: 'private', proxy: { '/api': backend.origin } })
    server.tokens.set('viewer', 'secret:viewer')
    expect(await refusal(open('/api', { origin: 'http://evil.example' }))).toContain('403')
    expect(await refusal(open('/api', {}, 'secret'))).toContain('403')
    expect(await refusal(open('/x', {}))).toContain('403')
    expect(backend.seen).toEqual([])
    const admitted = open('/api', { cookie: '__Host-previewd-secret=viewer' }, 'secret')
    await once(admitted, 'open')
    admitted.terminate()
  })

  test('learns the status with which the back end refuses it, and 502 where there is none', async () => {
    backend.upgrade = (_req, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n')
    expect(await refusal(open('/api'))).toContain('401')
    await restart({ targets: [] })
    expect(await refusal(open('/api'))).toContain('502')
    await restart({})
    await backend[Symbol.asyncDispose]()
    expect(await refusal(open('/api'))).toContain('502')
    backend = await HandWrittenUpstream.startAtPort()
  })

  test('ends when the back end goes', async () => {
    const sockets = new WebSocketServer({ noServer: true })
    backend.upgrade = (req, socket, head) => {
      sockets.handleUpgrade(req, socket, head, (opened) => opened.on('message', () => socket.destroy()))
    }
    const socket = open('/api')
    await once(socket, 'open')
    socket.send('go')
    await once(socket, 'close')
  })
})
