import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { Reached } from '../../src/model/app-server.ts'
import { createViewers } from '../../src/serve/viewers.ts'
import { HandWrittenUpstream } from './hand-written-upstream.ts'
import { type Answer, PreviewServer } from './preview-server.ts'

const NAVIGATION = { 'sec-fetch-mode': 'navigate', accept: 'text/html' }
const PAGE = '<!doctype html><html><head></head><body>rendered</body></html>'
const HASHED = 'assets/main-BwZ3kX1a.js'

let upstream: HandWrittenUpstream
let server: PreviewServer
let reached: Reached
let asked: { buildId: string; only?: boolean | undefined }[]
const get = (path: string, headers: Record<string, string> = {}, method = 'GET', label = 'demo') =>
  server.get(`${label}.localhost:${server.port}`, path, headers, method)
const paths = () => upstream.seen.map(({ method, url }) => `${method} ${url}`)

async function addBuild(id: string, files: Record<string, string>, hasServer = true): Promise<void> {
  await server.addBuild('demo', id, files)
  const build = server.builds.find((made) => made.id === id)
  if (build && hasServer) build.server = { framework: 'Some' }
  server.publish('demo', id)
}

beforeEach(async () => {
  upstream = await HandWrittenUpstream.start()
  upstream.answer = (_req, res) => res.writeHead(200, { 'content-type': 'text/html' }).end(PAGE)
  reached = { socket: upstream.socket }
  asked = []
  server = await PreviewServer.start({
    viewers: createViewers(),
    appServers: {
      reach: async (_project, buildId, { only }) => {
        asked.push({ buildId, only })
        return reached
      },
      view: () => ({ state: 'live' }),
      stop: async () => undefined,
      close: async () => undefined,
    },
  })
  server.addProject('demo')
  await addBuild('build0000001', { 'robots.txt': 'none', 'about/index.html': 'ahead', [HASHED]: 'one' })
})
afterEach(async () => {
  await server.stop()
  await upstream[Symbol.asyncDispose]()
})

describe('a published build with a server', () => {
  test('is asked for what is no file of it, by any method and with any query', async () => {
    expect((await get('/robots.txt')).text).toBe('none')
    expect((await get('/about/')).text).toBe('ahead')
    expect((await get(`/${HASHED}`)).text).toBe('one')
    expect(paths()).toEqual([])
    expect((await get('/?a=1', NAVIGATION)).text).toBe(PAGE)
    await get('/about')
    await get('/api/save', {}, 'POST')
    await get('/robots.txt', {}, 'DELETE')
    expect(paths()).toEqual(['GET /?a=1', 'GET /about', 'POST /api/save', 'DELETE /robots.txt'])
    expect(asked[0]).toEqual({ buildId: 'build0000001', only: false })
  })

  test('is passed on without Node taking what listens to one answer for a leak', async () => {
    const warnings: string[] = []
    const note = ({ name }: Error) => void warnings.push(name)
    process.on('warning', note)
    await get('/', NAVIGATION)
    process.off('warning', note)
    // Others, as of what is experimental, may come at any time.
    expect(warnings).not.toContain('MaxListenersExceededWarning')
  })

  test('leaves other builds as they are: files, and no methods but GET and HEAD', async () => {
    await addBuild('build0000002', { 'index.html': 'file' }, false)
    expect((await get('/any', NAVIGATION)).text).toBe('file')
    expect((await get('/', {}, 'POST')).status).toBe(405)
    expect(asked).toEqual([])
  })

  test('has its headers filtered, and sees neither grants nor addresses of previewd', async () => {
    upstream.answer = (_req, res) =>
      res
        .writeHead(200, {
          'content-type': 'application/json',
          'set-cookie': 'a=1; Domain=localhost',
          'strict-transport-security': 'max-age=1',
          'cache-control': 'public, max-age=60',
        })
        .end('{}')
    server.tokens.set('viewer', 'demo:viewer')
    const answer = await get('/data', { cookie: '__Host-previewd-demo=viewer; own=1' })
    expect(answer.headers).toMatchObject({ 'set-cookie': ['a=1'], 'cache-control': 'public, max-age=60' })
    expect(answer.headers['strict-transport-security']).toBeUndefined()
    expect(upstream.seen[0]?.headers.cookie).toBe('own=1')
    await get('/data?a=1&previewd_grant=viewer&b=2')
    expect(upstream.seen[1]?.url).toBe('/data?a=1&b=2')
    expect((await get('/.previewd/else')).status).toBe(404)
    expect((await get('/.previewd/status', {}, 'POST')).status).toBe(405)
    expect((await get('/sw.js', { 'service-worker': 'script' })).status).toBe(403)
    expect(paths()).toEqual(['GET /data', 'GET /data?a=1&b=2'])
  })

  test('of a private project answers who has a grant, and no shared cache keeps it', async () => {
    server.addProject('demo', { visibility: 'private' })
    server.publish('demo', 'build0000001')
    upstream.answer = (_req, res) => res.writeHead(200, { 'cache-control': 'public, max-age=60' }).end('x')
    expect((await get('/data')).status).toBe(401)
    server.tokens.set('viewer', 'demo:viewer')
    const answer = await get('/data', { cookie: '__Host-previewd-demo=viewer' })
    expect(answer).toMatchObject({ status: 200, headers: { 'cache-control': 'private, no-cache' } })
  })

  test('has the client script in its pages for editors, and for nobody else', async () => {
    expect((await get('/', NAVIGATION)).text).toBe(PAGE)
    server.editor = true
    expect((await get('/', NAVIGATION)).text).toMatch(
      /<head><script src="[^"]+" data-revision="1" data-mode="build">/,
    )
  })

  test.each<[string, Reached, Partial<Answer>]>([
    ['that wakes', { unavailable: 'starting' }, { status: 503 }],
    ['for which there is no room', { unavailable: 'full' }, { status: 503 }],
    ['that ends when it starts', { unavailable: 'failed', reason: 'secret words' }, { status: 502 }],
  ])('%s has a page in its place that asks again', async (_name, unavailable, expected) => {
    reached = unavailable
    const page = await get('/', NAVIGATION)
    expect(page).toMatchObject(expected)
    expect(page.headers).toMatchObject({ refresh: expect.any(String), 'retry-after': expect.any(String) })
    expect(page.text).not.toContain('secret words')
    expect((await get('/robots.txt')).text).toBe('none')
    server.editor = true
    expect((await get('/', NAVIGATION)).text.includes('secret words')).toBe('reason' in unavailable)
  })

  test('has WebSockets of its own pages, for who may see the preview', async () => {
    const sockets = new WebSocketServer({ noServer: true })
    upstream.upgrade = (req, socket, head) => {
      sockets.handleUpgrade(req, socket, head, (opened) => opened.send(`at ${req.url}`))
    }
    const host = `demo.localhost:${server.port}`
    const open = (headers: Record<string, string> = {}, path = '/chat?a=1') =>
      new WebSocket(`ws://127.0.0.1:${server.port}${path}`, { headers: { host, ...headers } })
    const said = async (socket: WebSocket) => {
      const text = await once(socket, 'message').then(([message]) => String(message), String)
      socket.terminate()
      return text
    }
    expect(await said(open({ origin: `http://${host}` }))).toBe('at /chat?a=1')
    expect(await said(open({ origin: 'http://other.localhost' }))).toContain('403')
    expect(await said(open({}, '/.previewd/live'))).toContain('403')
    expect(await said(open({}, '/.previewd/else'))).toContain('403')
    reached = { unavailable: 'full' }
    expect(await said(open())).toContain('404')
    reached = { socket: upstream.socket }
    server.addProject('demo', { visibility: 'private' })
    server.publish('demo', 'build0000001')
    expect(await said(open())).toContain('403')
    server.tokens.set('viewer', 'demo:viewer')
    expect(await said(open({ cookie: '__Host-previewd-demo=viewer' }))).toBe('at /chat?a=1')
  })

  test('is asked for no more than 512 things at once; who comes then is told when to come again', async () => {
    upstream.answer = () => undefined
    const first = Array.from({ length: 512 }, () => get('/slow').catch(() => undefined))
    await expect.poll(() => asked.length, { timeout: 30_000 }).toBe(512)
    expect((await get('/slow')).status).toBe(503)
    expect((await get('/robots.txt')).text).toBe('none')
    await upstream[Symbol.asyncDispose]()
    await Promise.all(first)
    upstream = await HandWrittenUpstream.start()
    reached = { socket: upstream.socket }
    expect((await get('/now')).text).toBe('upstream')
  })

  test('at the address of one build is that build’s own', async () => {
    await addBuild('build0000002', {})
    await get('/', NAVIGATION, 'GET', 'build0000001--demo')
    expect(asked).toEqual([{ buildId: 'build0000001', only: true }])
    expect((await get(`/${HASHED}`)).text).toBe('one')
    expect(asked).toHaveLength(1)
  })
})
