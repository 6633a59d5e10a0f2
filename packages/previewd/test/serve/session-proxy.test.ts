import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { brotliDecompressSync, createGunzip, gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { SessionAddress } from '../../src/model/session.ts'
import { createViewers } from '../../src/serve/viewers.ts'
import { HandWrittenUpstream } from './hand-written-upstream.ts'
import { type Answer, PreviewServer } from './preview-server.ts'

const NAVIGATION = { 'sec-fetch-mode': 'navigate', accept: 'text/html' }
const PAGE = '<!doctype html><html><head><title>t</title></head><body>dev</body></html>'

let upstream: HandWrittenUpstream
let server: PreviewServer
let isLive: boolean
let generation: string
const host = (): string => `demo.localhost:${server.port}`
const get = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
  server.get(host(), path, headers, method)
const answerWith = (body: string, headers: Record<string, string | string[]> = {}): void => {
  upstream.answer = (_req, res) => res.writeHead(200, { 'content-type': 'text/html', ...headers }).end(body)
}

const addressOf = (id: string): SessionAddress | undefined =>
  id === 'demo' && isLive ? { socket: upstream.socket, revision: 7, generation } : undefined

async function start(overrides: Parameters<typeof PreviewServer.start>[0] = {}): Promise<void> {
  server = await PreviewServer.start({
    viewers: createViewers(),
    sessions: {
      address: addressOf,
      untilLive: async (id) => addressOf(id),
      recorded: async () => undefined,
      view: () => ({ state: isLive ? 'live' : 'off', viewers: 0, restarts: 0 }),
    },
    ...overrides,
  })
  server.editor = true
  await server.addSite('demo', { 'index.html': PAGE.replace('dev', 'published'), 'data.json': '{}' })
  setRevision(7)
}

/** Of the files; the published build is of revision 1. */
function setRevision(revision: number): void {
  const project = server.projects.get('demo')
  if (project) server.projects.set('demo', { ...project, revision })
}

beforeEach(async () => {
  isLive = true
  generation = 'one'
  upstream = await HandWrittenUpstream.start()
  answerWith(PAGE)
  await start()
})
afterEach(async () => {
  await server.stop()
  await upstream[Symbol.asyncDispose]()
})

describe('a request', () => {
  test('of an editor goes to the dev server, of anybody else to the published build', async () => {
    expect((await get('/')).text).toContain('dev')
    server.editor = false
    expect((await get('/')).text).toContain('published')
    server.tokens.set('viewer', 'demo:viewer').set('editor', 'demo:editor')
    expect((await get('/', { cookie: '__Host-previewd-demo=viewer' })).text).toContain('published')
    expect((await get('/', { cookie: '__Host-previewd-demo=editor' })).text).toContain('dev')
    isLive = false
    expect((await get('/', { cookie: '__Host-previewd-demo=editor' })).text).toContain('published')
  })

  test('for a page is answered by a build of the same revision first, and by the dev server to change over', async () => {
    setRevision(1)
    expect((await get('/', NAVIGATION)).text).toContain('published')
    expect((await get('/?previewd_live=1', NAVIGATION)).text).toContain('dev')
    await get('/page?previewd_live=1&a=1&previewd_live=1b', NAVIGATION)
    expect(upstream.seen.at(-1)?.url).toBe('/page?a=1&previewd_live=1b')
    expect((await get('/', { ...NAVIGATION, 'cache-control': 'max-age=0' })).text).toContain('dev')
    expect((await get('/main.js')).text).toContain('dev')
    setRevision(2)
    expect((await get('/', NAVIGATION)).text).toContain('dev')
  })

  test('brings the app its own cookies and headers, and none of previewd or of the connection', async () => {
    server.tokens.set('editor', 'demo:editor')
    server.editor = false
    await get('/api?a=1&previewd_grant=editor&b=2', {
      cookie: 'app=1; __Host-previewd-demo=editor; other=2',
      authorization: 'Bearer app',
      connection: 'keep-alive, x-hop',
      'x-hop': '1',
      te: 'trailers',
      origin: `https://${host()}`,
    })
    const { headers, url } = upstream.seen[0] ?? {}
    expect(url).toBe('/api?a=1&b=2')
    expect(headers).toMatchObject({
      host: host(),
      cookie: 'app=1; other=2',
      authorization: 'Bearer app',
      origin: `https://${host()}`,
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': host(),
    })
    expect(headers).not.toHaveProperty('x-hop')
    expect(headers).not.toHaveProperty('te')
  })

  test.each(['GET', 'DELETE', 'POST'])(
    "of %s keeps its body its own, whatever it calls the connection's",
    async (method) => {
      const body = 'GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n'
      upstream.answer = (req, res) => req.pipe(res)
      const headers = { host: host(), connection: 'content-length', 'content-length': String(body.length) }
      const req = request({ host: '127.0.0.1', port: server.port, method, headers }).end(body)
      const [res] = (await once(req, 'response')) as [IncomingMessage]
      expect((await res.toArray()).join('')).toBe(body)
      expect(upstream.seen.map(({ url }) => url)).toEqual(['/'])
    },
  )

  /** As a server does that was busy until a connection had been idle for too long, whatever has come on it meanwhile. */
  const answerOncePerConnection = (): void => {
    const used = new WeakSet<object>()
    upstream.answer = (req, res) => {
      if (used.has(req.socket)) return req.socket.destroy()
      used.add(req.socket)
      res.end(req.method)
    }
  }

  test('on a connection that the server closes is asked again on another one', async () => {
    answerOncePerConnection()
    for (let count = 0; count < 3; count++) expect((await get('/app.js')).status).toBe(200)
  })

  test('that may have done something is not asked again', async () => {
    answerOncePerConnection()
    expect((await get('/api', {}, 'POST')).status).toBe(200)
    expect((await get('/api', {}, 'POST')).status).toBe(502)
    expect(upstream.seen).toHaveLength(2)
  })

  test.each([
    ['404', 404, {}],
    ['the page of the app', 200, { 'content-type': 'text/html' }],
  ])(
    'for a file of a build is answered with it where the dev server says %s',
    async (_name, status, type) => {
      upstream.answer = (_req, res) => res.writeHead(status, type).end('no such file')
      await server.addBuild('demo', 'build0000002', { 'assets/index-BwZ3kX_a.js': 'built' })
      expect(await get('/assets/index-BwZ3kX_a.js')).toMatchObject({ status: 200, text: 'built' })
      expect((await get('/assets/index-Cc44444.js')).text).toBe('no such file')
      expect((await get('/data.json')).text).toBe('no such file')
      expect((await get('/assets/index-BwZ3kX_a.js', NAVIGATION)).text).not.toBe('built')
    },
  )

  test('for a file that the dev server has is answered with that', async () => {
    upstream.answer = (_req, res) => res.writeHead(200, { 'content-type': 'text/javascript' }).end('live')
    await server.addBuild('demo', 'build0000002', { 'assets/index-BwZ3kX_a.js': 'built' })
    expect((await get('/assets/index-BwZ3kX_a.js')).text).toBe('live')
  })

  test('keeps what a proxy in front says of the client', async () => {
    await get('/', {
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'a',
    })
    expect(upstream.seen[0]?.headers).toMatchObject({
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'a',
    })
  })

  test('may be of any method, and its body streams', async () => {
    upstream.answer = (req, res) => req.pipe(res)
    const req = request({ host: '127.0.0.1', port: server.port, method: 'POST', headers: { host: host() } })
    req.write('first')
    const [res] = await once(req, 'response')
    const [chunk] = await once(res, 'data')
    expect(String(chunk)).toBe('first')
    req.end(' second')
    expect(String((await once(res, 'data'))[0])).toBe(' second')
  })

  test('of a page of another origin gets what is published, and navigations from there the session', async () => {
    const foreign = [
      { origin: `http://other.localhost:${server.port}` },
      { origin: 'null', 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-mode': 'no-cors', 'sec-fetch-site': 'same-site' },
    ]
    for (const headers of foreign) expect((await get('/data.json', headers)).text).toBe('{}')
    expect((await get('/', { origin: 'http://evil.example' }, 'POST')).status).toBe(405)
    expect(upstream.seen).toEqual([])
    const coming = { ...NAVIGATION, 'sec-fetch-site': 'cross-site', origin: 'https://login.example' }
    expect((await get('/callback', coming, 'POST')).text).toContain('dev')
  })

  test('with a grant in its address gets its cookie before project code sees it', async () => {
    server.editor = false
    server.tokens.set('editor', 'demo:editor')
    const answer = await get('/page?previewd_grant=editor', NAVIGATION)
    expect([answer.status, answer.headers.location]).toEqual([303, '/page'])
    expect(upstream.seen).toEqual([])
  })

  test('for what is previewd itself, or for a service worker, never reaches project code', async () => {
    for (const path of [
      '/.previewd/status',
      '/.previewd/x',
      '/%2epreviewd/x',
      '//.previewd/x',
      '/.PREVIEWD/x',
    ]) {
      await get(path)
    }
    expect((await get('/sw.js', { 'service-worker': 'script' })).status).toBe(403)
    expect(upstream.seen).toEqual([])
    const script = await get('/.previewd/client.js')
    expect(script.headers['content-type']).toContain('text/javascript')
  })
})

describe('an answer', () => {
  test('loses what would reach beyond the preview', async () => {
    answerWith('x', {
      'set-cookie': [
        'a=1; Domain=localhost; Path=/',
        'b=2; Secure; domain=.example.org',
        '__Host-previewd-demo=forged; Path=/',
      ],
      'service-worker-allowed': '/',
      'clear-site-data': '"*"',
      nel: '{}',
      'report-to': '{}',
      'reporting-endpoints': 'a="b"',
      'strict-transport-security': 'max-age=1',
      'alt-svc': 'h3=":443"',
      'x-accel-redirect': '/etc/passwd',
      'x-own': 'kept',
      'content-security-policy': "default-src 'self'",
    })
    const { headers } = await get('/')
    expect(headers['set-cookie']).toEqual(['a=1; Path=/', 'b=2; Secure'])
    expect(headers).toMatchObject({
      'x-own': 'kept',
      'x-robots-tag': 'noindex',
      'x-content-type-options': 'nosniff',
    })
    expect(headers['content-security-policy']).toBe("default-src 'self'")
    expect(Object.keys(headers).toSorted()).toEqual(
      [
        'connection',
        'content-security-policy',
        'content-type',
        'date',
        'set-cookie',
        'transfer-encoding',
        'x-content-type-options',
        'x-own',
        'x-robots-tag',
      ].toSorted(),
    )
  })

  test('names who may frame it where the operator said so, beside what the app says', async () => {
    await server.stop()
    await start({ frameAncestors: ['https://platform.example'] })
    answerWith('x', { 'content-security-policy': "default-src 'self'" })
    expect((await get('/')).headers['content-security-policy']).toBe(
      "default-src 'self', frame-ancestors https://platform.example",
    )
  })

  test('that is a page gets the client script, with the length that it has then', async () => {
    answerWith(PAGE, { 'content-length': String(PAGE.length), etag: '"x"' })
    const page = await get('/', { ...NAVIGATION, 'accept-encoding': 'gzip', 'if-none-match': '"x"' })
    expect(page.text).toMatch(
      /<head><script src="\/\.previewd\/client\.js\?v=[\w-]+" data-revision="7" data-mode="session" data-generation="one"><\/script><title>/,
    )
    expect(page.headers.etag).toBeUndefined()
    expect(upstream.seen[0]?.headers['accept-encoding']).toBe('identity')
    expect(upstream.seen[0]?.headers).not.toHaveProperty('if-none-match')
  })

  test('that a script asked for is as the dev server sent it, and so is one that is compressed', async () => {
    const parts = { 'accept-encoding': 'gzip', 'if-none-match': '"x"', 'sec-fetch-mode': 'cors' }
    expect((await get('/part.html', parts)).text).toBe(PAGE)
    expect(upstream.seen[0]?.headers).toMatchObject({ 'accept-encoding': 'gzip', 'if-none-match': '"x"' })
    answerWith('not really', { 'content-encoding': 'gzip' })
    expect((await get('/', NAVIGATION)).text).toBe('not really')
  })

  test('is compressed on its way over a network, and not within this machine', async () => {
    const module = 'export const a = 1\n'.repeat(500)
    const headers = {
      'content-type': 'text/javascript',
      'content-length': String(module.length),
      etag: '"x"',
    }
    answerWith(module, headers)
    const gzip = { 'accept-encoding': 'gzip, br' }
    const near = await get('/main.js', gzip)
    expect([near.headers['content-encoding'], near.text]).toEqual([undefined, module])
    const far = await get('/main.js', { ...gzip, 'x-forwarded-for': '203.0.113.7' })
    expect(far.headers).toMatchObject({ 'content-encoding': 'br', etag: 'W/"x"', vary: 'Accept-Encoding' })
    expect(brotliDecompressSync(far.body).toString()).toBe(module)
    expect((await get('/main.js', { 'x-forwarded-for': '203.0.113.7' })).text).toBe(module)
    answerWith(PAGE)
    const page = await get('/', { ...NAVIGATION, ...gzip, 'x-forwarded-for': '203.0.113.7' })
    expect(gunzipSync(page.body).toString()).toContain('data-mode="session"')
  })

  test('that comes in pieces is sent on in pieces, also compressed', async () => {
    const rest = Promise.withResolvers<void>()
    upstream.answer = (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/html' }).write('<head>first')
      void rest.promise.then(() => res.end('last'))
    }
    const headers = { host: host(), 'accept-encoding': 'gzip', 'x-forwarded-for': '203.0.113.7' }
    const req = request({ host: '127.0.0.1', port: server.port, headers }).end()
    const [res] = await once(req, 'response')
    const unpacked = res.pipe(createGunzip())
    expect(String((await once(unpacked, 'data'))[0])).toBe('<head>first')
    rest.resolve()
    expect(String((await once(unpacked, 'data'))[0])).toBe('last')
  })

  test('of a project that is not instrumented is as it is', async () => {
    const project = server.addProject('demo', { instrument: false })
    expect(project.settings.instrument).toBe(false)
    expect((await get('/', NAVIGATION)).text).toBe(PAGE)
  })

  test('that does not come is said so: with a page that asks again, or in a line', async () => {
    upstream.answer = (req) => req.socket.destroy()
    const page = await get('/', NAVIGATION)
    expect([page.status, page.headers.refresh]).toEqual([502, '1'])
    expect(page.text).toContain('The dev server does not answer')
    expect((await get('/main.js')).text).toMatch(/^The dev server does not answer/)
    await upstream[Symbol.asyncDispose]()
    expect((await get('/main.js')).status).toBe(502)
    expect(server.logged).toEqual([])
  })

  test('that does not come because a kept connection was closed just then is asked for once more', async () => {
    await get('/main.js')
    const used = new Set([upstream.seen[0]?.socket])
    upstream.answer = (req, res) => {
      if (used.has(req.socket)) req.socket.destroy()
      else res.end('again')
    }
    expect((await get('/main.js')).text).toBe('again')
    expect(upstream.seen).toHaveLength(3)
  })

  test('that does not come is not asked for once more where that must not be done twice', async () => {
    await get('/main.js')
    upstream.answer = (req) => req.socket.destroy()
    expect((await get('/api', {}, 'POST')).status).toBe(502)
    expect(upstream.seen).toHaveLength(2)
  })

  test('without a page in it is a page that asks again, for navigations; other answers stay what they are', async () => {
    upstream.answer = (_req, res) => res.writeHead(404).end()
    const page = await get('/', NAVIGATION)
    expect(page).toMatchObject({ status: 404, headers: { refresh: '1' } })
    expect(page.text).toContain('There is no page here yet')
    expect((await get('/main.js')).text).toBe('')
    upstream.answer = (_req, res) => res.writeHead(404, { 'content-type': 'text/html' }).end('of the app')
    expect((await get('/', NAVIGATION)).text).toContain('of the app')
  })

  test('that breaks off breaks off for the client', async () => {
    upstream.answer = (req, res) => {
      res.writeHead(200, { 'content-length': '100' })
      res.write('half', () => req.socket.destroy())
    }
    await expect(get('/main.js')).rejects.toThrow('aborted')
  })

  test('ends for the dev server when the client goes', async () => {
    const closed = Promise.withResolvers<void>()
    upstream.answer = (_req, res) => {
      res.on('close', closed.resolve)
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    }
    const req = request({ host: '127.0.0.1', port: server.port, headers: { host: host() } }).end()
    const [res] = await once(req, 'response')
    await once(res, 'data')
    req.destroy()
    await closed.promise
  })
})

describe('a server that takes questions and never answers', () => {
  interface Question {
    req: IncomingMessage
    /** Heard from the beginning: it may be gone by the time that the test looks. */
    gone: Promise<unknown>
  }
  /** Resolves with each question that it gets and leaves. */
  const silence = (): (() => Promise<Question>) => {
    const asked: PromiseWithResolvers<Question>[] = []
    let [heard, read] = [0, 0]
    const at = (index: number) => (asked[index] ??= Promise.withResolvers())
    upstream.answer = (req) => {
      at(heard++).resolve({ req, gone: new Promise((resolve) => req.socket.once('close', resolve)) })
    }
    return () => at(read++).promise
  }

  test('leaves no viewer without a page: one that asks again by itself', async () => {
    await server.stop()
    await start({ pageTimeoutMs: 50 })
    const asked = silence()
    const page = await get('/', NAVIGATION)
    expect([page.status, page.headers.refresh]).toEqual([502, '1'])
    expect(page.text).toContain('The dev server does not answer')
    await (await asked()).gone
    upstream.answer = (_req, res) => void setTimeout(() => res.end('slow'), 75)
    // Each time it is waited for longer.
    await expect.poll(async () => (await get('/', NAVIGATION)).text).toBe('slow')
  })

  test('is waited for by what is no page, and by what is sent to it', async () => {
    await server.stop()
    await start({ pageTimeoutMs: 50 })
    const release = Promise.withResolvers<void>()
    upstream.answer = (req, res) => {
      if (req.method === 'GET' && req.headers['sec-fetch-mode'] === 'navigate') return
      void release.promise.then(() => res.end('late'))
    }
    const waiting = [get('/events', { accept: 'text/event-stream' }), get('/send', NAVIGATION, 'POST')]
    await get('/', NAVIGATION)
    release.resolve()
    expect((await Promise.all(waiting)).map(({ text }) => text)).toEqual(['late', 'late'])
  })

  test('is asked once more when it has restarted, and its successor in its place', async () => {
    const asked = silence()
    const page = get('/page?a=1', { ...NAVIGATION, 'x-forwarded-for': '203.0.113.7' })
    const first = await asked()
    server.tell('demo', 'session')
    generation = 'two'
    server.tell('demo', 'session')
    const second = await asked()
    await first.gone
    expect([second.req.url, second.req.headers]).toEqual([first.req.url, first.req.headers])
    await using successor = await HandWrittenUpstream.start()
    successor.answer = (_req, res) => res.writeHead(200, { 'content-type': 'text/html' }).end(PAGE)
    const { socket } = upstream
    Object.assign(upstream, { socket: successor.socket })
    server.tell('demo', 'session')
    expect((await page).text).toMatch(/data-generation="two".*dev/s)
    Object.assign(upstream, { socket })
  })
})

describe('the published build of an editor', () => {
  beforeEach(() => {
    isLive = false
  })

  test('carries the client script in its pages, which no cache keeps', async () => {
    const page = await get('/', NAVIGATION)
    expect(page.text).toMatch(/<head><script [^>]*data-revision="1" data-mode="build"><\/script><title>/)
    expect(page.headers['cache-control']).toBe('no-store')
    expect(page.headers.etag).toBeUndefined()
    expect(page.headers['x-robots-tag']).toBe('noindex')
    expect((await get('/data.json', NAVIGATION)).text).toBe('{}')
  })

  test('asks again by itself where it has no page: a session, or another build, may have one', async () => {
    await server.addSite('demo', { 'data.json': '{}' })
    expect(await get('/', NAVIGATION)).toMatchObject({ status: 404, headers: { refresh: '1' } })
    server.editor = false
    expect((await get('/', NAVIGATION)).headers).not.toHaveProperty('refresh')
  })

  test('is for everybody else what was built', async () => {
    server.editor = false
    const page = await get('/', NAVIGATION)
    expect(page.text).not.toContain('previewd')
    expect(page.headers['cache-control']).toBe('no-cache')
    expect(page.headers.etag).toBeDefined()
  })
})

describe('a WebSocket', () => {
  const open = (path: string, headers: Record<string, string> = {}): WebSocket =>
    new WebSocket(`ws://127.0.0.1:${server.port}${path}`, 'vite-hmr', {
      headers: { host: host(), ...headers },
    })
  const refusal = async (socket: WebSocket): Promise<string> => {
    const [error] = await once(socket, 'error')
    return error.message
  }
  const echo = (): void => {
    const sockets = new WebSocketServer({ noServer: true })
    upstream.upgrade = (req, socket, head) => {
      sockets.handleUpgrade(req, socket, head, (opened) => {
        opened.on('message', (content) => opened.send(`echo ${content}`))
      })
    }
  }

  test('of an editor speaks with the dev server, which learns nothing of previewd', async () => {
    echo()
    const socket = open('/?token=1', { cookie: '__Host-previewd-demo=t; a=1', origin: `http://${host()}` })
    await once(socket, 'open')
    expect(socket.protocol).toBe('vite-hmr')
    socket.send('hello')
    expect(String((await once(socket, 'message'))[0])).toBe('echo hello')
    expect(upstream.seen[0]?.url).toBe('/?token=1')
    expect(upstream.seen[0]?.headers).toMatchObject({
      host: host(),
      origin: `http://${host()}`,
      cookie: 'a=1',
    })
    socket.close()
    await once(socket, 'close')
  })

  test('of another origin is refused before the dev server hears of it', async () => {
    echo()
    for (const origin of [
      'http://evil.example',
      `http://other.localhost:${server.port}`,
      'null',
      'garbage',
    ]) {
      expect(await refusal(open('/', { origin }))).toContain('403')
      expect(await refusal(open('/.previewd/live', { origin }))).toContain('403')
    }
    expect(upstream.seen).toEqual([])
    const behindTls = open('/', { origin: `https://${host()}` })
    await once(behindTls, 'open')
    behindTls.terminate()
  })

  test('is for editors alone', async () => {
    server.editor = false
    server.tokens.set('viewer', 'demo:viewer')
    expect(await refusal(open('/'))).toContain('403')
    expect(await refusal(open('/', { cookie: '__Host-previewd-demo=viewer' }))).toContain('403')
    expect(upstream.seen).toEqual([])
  })

  test('ends with either of its ends', async () => {
    const ended = Promise.withResolvers<void>()
    const sockets = new WebSocketServer({ noServer: true })
    upstream.upgrade = (req, socket, head) => {
      sockets.handleUpgrade(req, socket, head, (opened) => opened.on('close', () => ended.resolve()))
    }
    const leaving = open('/')
    await once(leaving, 'open')
    leaving.terminate()
    await ended.promise
    upstream.upgrade = (req, socket, head) => {
      sockets.handleUpgrade(req, socket, head, () => socket.destroy())
    }
    const left = open('/')
    await once(left, 'close')
  })

  test('that the dev server does not take, or answers with forged headers, is not passed on as it is', async () => {
    expect(await refusal(open('/'))).toContain('502')
    upstream.upgrade = (_req, socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx')
    expect(await refusal(open('/'))).toContain('502')
    upstream.upgrade = (_req, socket) =>
      socket.write(
        'HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSet-Cookie: a=1; Domain=localhost\r\n\r\n',
      )
    const raw = connect(server.port, '127.0.0.1')
    raw.write(upgradeHead())
    const [head] = await once(raw, 'data')
    expect(String(head)).toMatch(/^HTTP\/1.1 101 Switching Protocols\r\nSet-Cookie: a=1\r\n/)
    expect(String(head)).not.toContain('Domain')
    raw.destroy()
  })

  test('that is garbage is refused', async () => {
    const raw = connect(server.port, '127.0.0.1')
    raw.write(upgradeHead().replace(/Sec-WebSocket-Key.*\r\n/, ''))
    expect(String((await once(raw, 'data'))[0])).toMatch(/^HTTP\/1.1 400/)
    expect(upstream.seen).toEqual([])
  })

  test('is refused where a project has too many; the others go on', async () => {
    echo()
    const sockets = Array.from({ length: 256 }, () => open('/'))
    await Promise.all(sockets.map((socket) => once(socket, 'open')))
    expect(await refusal(open('/'))).toContain('503')
    const [first] = sockets
    first?.send('still')
    expect(String((await once(first as WebSocket, 'message'))[0])).toBe('echo still')
    for (const socket of sockets) socket.terminate()
  })

  test('of a client that never reads is ended', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] })
    await server.stop()
    await start()
    const sockets = new WebSocketServer({ noServer: true })
    let hasEnded = false
    const full = Promise.withResolvers<void>()
    upstream.upgrade = (req, socket, head) => {
      sockets.handleUpgrade(req, socket, head, (opened) => {
        socket.on('close', () => (hasEnded = true))
        const fill = (): void => {
          opened.send(Buffer.alloc(1024 * 1024), () => undefined)
          if (socket.writableLength < 64 * 1024 * 1024) setImmediate(fill)
          else full.resolve()
        }
        fill()
      })
    }
    const raw = connect(server.port, '127.0.0.1')
    raw.write(upgradeHead())
    raw.pause()
    await full.promise
    // What is still on its way to it counts as read, so it is not known how many looks that takes.
    while (!hasEnded) await vi.advanceTimersByTimeAsync(20_000)
    vi.useRealTimers()
    raw.destroy()
  })

  const upgradeHead = (): string =>
    `GET / HTTP/1.1\r\nHost: ${host()}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`
})
