import { createHash } from 'node:crypto'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, PreviewServer } from './preview-server.ts'

const SCRIPT = 'export const x = "abcdefghij"\n'.repeat(200)
const HASHED = 'assets/index-BwZ3kX_a.js'
const NAVIGATION = { 'sec-fetch-mode': 'navigate', accept: 'text/html,*/*' }
const FETCH = { 'sec-fetch-mode': 'cors', accept: '*/*' }

let server: PreviewServer

beforeAll(async () => {
  server = await PreviewServer.start()
  await server.addSite('app', {
    'index.html': '<!doctype html><title>app</title>',
    'about.html': 'about',
    'docs/index.html': 'docs',
    [HASHED]: SCRIPT,
    'logo.svg': '<svg/>',
    'data.json': '{}',
    'video.mp4': Buffer.alloc(700_000, 'abcdefgh'),
    'ünï cödé.txt': 'unicode',
    '.env': 'SECRET=1',
    '.git/config': 'secret',
    '.well-known/security.txt': 'contact',
    'a/.hidden/x.txt': 'secret',
  })
  await server.artifacts.compress('app', 'build0000001')
  await server.addSite(
    'pages',
    {
      'index.html': 'home',
      '404.html': 'own missing page',
      'about.html': 'about',
      'docs/index.html': 'docs',
      'docs/a#b?/index.html': 'odd',
    },
    { spa: false },
  )
  await server.addSite('bare', { 'readme.txt': 'no index' })
})

afterAll(() => server.stop())

const get = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
  server.get(`app.localhost:${server.port}`, path, headers, method)
const getPage = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
  server.get(`pages.localhost:${server.port}`, path, headers)

describe('finding a file', () => {
  test.each([
    ['/', 'text/html; charset=utf-8'],
    [`/${HASHED}`, 'text/javascript; charset=utf-8'],
    ['/logo.svg', 'image/svg+xml'],
    ['/data.json', 'application/json; charset=utf-8'],
    ['/video.mp4', 'video/mp4'],
    ['/%C3%BCn%C3%AF%20c%C3%B6d%C3%A9.txt', 'text/plain; charset=utf-8'],
    ['/.well-known/security.txt', 'text/plain; charset=utf-8'],
  ])('%s is served as %s', async (path, type) => {
    const answer = await get(path)
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe(type)
    expect(answer.headers['x-content-type-options']).toBe('nosniff')
    expect(answer.headers['x-robots-tag']).toBe('noindex')
  })

  test('a page without its extension and a folder with its index are found', async () => {
    expect((await get('/about')).text).toBe('about')
    expect((await get('/docs/')).text).toBe('docs')
  })

  test('the query plays no part', async () => {
    expect((await get('/about?x=/../..%2f')).text).toBe('about')
  })

  test('an unknown address is the app itself for a navigation, and missing for a script', async () => {
    expect((await get('/users/7', NAVIGATION)).text).toContain('<title>app')
    expect((await get('/users/john.doe', NAVIGATION)).status).toBe(200)
    expect((await get('/users/7', FETCH)).status).toBe(404)
    expect((await get('/assets/gone-AAAA1111.js', NAVIGATION)).status).toBe(404)
    expect((await get('/gone.png')).status).toBe(404)
    expect((await get('/users/7', { accept: '*/*' })).status).toBe(200)
  })

  test('a site that is no single-page app has its own page for what is missing', async () => {
    const missing = await getPage('/nothing', NAVIGATION)
    expect([missing.status, missing.text]).toEqual([404, 'own missing page'])
    expect((await getPage('/nothing.css', FETCH)).text).not.toContain('own')
  })

  test('a folder without its slash is redirected to it, on the same origin', async () => {
    const answer = await getPage('/docs?x=1')
    expect([answer.status, answer.headers.location]).toEqual([308, '/docs/?x=1'])
    const odd = await getPage('/docs/a%23b%3F')
    expect(odd.headers.location).toBe('/docs/a%23b%3F/')
    expect((await getPage('//evil.example/docs')).headers.location).toBeUndefined()
  })

  test('a site without an index says that there is nothing', async () => {
    const answer = await server.get(`bare.localhost:${server.port}`, '/', NAVIGATION)
    expect(answer.status).toBe(404)
    expect(answer.text).toContain('Nothing at this address')
  })
})

describe('what is never served', () => {
  const hidden = [
    '/.env',
    '/.git/config',
    '/.git',
    '/a/.hidden/x.txt',
    '/%2eenv',
    '/.well-known/.env',
    '/x/.git/HEAD',
  ]
  test.each(hidden)('%s is as good as absent, also for navigations', async (path) => {
    for (const headers of [{}, NAVIGATION]) {
      const answer = await get(path, headers)
      expect(answer.status).toBe(404)
      expect(answer.text).not.toMatch(/secret/i)
    }
  })

  const tricks = [
    '/../etc/passwd',
    '/a/../.env',
    '/..%2f..%2fetc/passwd',
    '/%2e%2e/x',
    '/a%00b',
    '/a%5cb',
    '/a\\b',
    '/%',
    '/%zz',
    '/%c3%28',
    '/%ff',
    '/a%0d%0ab',
    '/./x',
    'http://app.localhost/',
    '*',
  ]
  test.each(tricks)('%s is refused as malformed', async (path) => {
    expect((await get(path)).status).toBe(400)
  })

  test('the script of a service worker is refused', async () => {
    expect((await get(`/${HASHED}`, { 'service-worker': 'script' })).status).toBe(403)
  })

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])('%s is refused', async (method) => {
    const answer = await get('/', {}, method)
    expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD'])
  })

  test('paths below /.previewd are reserved', async () => {
    expect((await get('/.previewd/other', NAVIGATION)).status).toBe(404)
  })
})

describe('caching', () => {
  test('names with a hash are kept for ever, pages and other files are asked for again', async () => {
    expect((await get(`/${HASHED}`)).headers['cache-control']).toBe('public, max-age=31536000, immutable')
    expect((await get('/')).headers['cache-control']).toBe('no-cache')
    expect((await get('/logo.svg')).headers['cache-control']).toBe('no-cache')
    expect((await get('/nothing.png')).headers['cache-control']).toBe('no-store')
  })

  test('the address of one build is kept for ever but for its pages', async () => {
    const host = `build0000001--app.localhost:${server.port}`
    expect((await server.get(host, '/logo.svg')).headers['cache-control']).toContain('immutable')
    expect((await server.get(host, '/')).headers['cache-control']).toBe('no-cache')
  })

  test('an ETag is strong, belongs to one encoding, and is answered with 304', async () => {
    const plain = await get(`/${HASHED}`)
    const brotli = await get(`/${HASHED}`, { 'accept-encoding': 'br' })
    expect(plain.headers.etag).toMatch(/^"[\w-]{27}"$/)
    expect(brotli.headers.etag).toMatch(/^"[\w-]{27}-br"$/)
    for (const condition of [plain.headers.etag, `"x", W/${plain.headers.etag}`, '*']) {
      const again = await get(`/${HASHED}`, { 'if-none-match': String(condition) })
      expect([again.status, again.body.length, again.headers.etag]).toEqual([304, 0, plain.headers.etag])
      expect(again.headers.vary).toBe('Accept-Encoding')
    }
    const other = await get(`/${HASHED}`, {
      'if-none-match': String(plain.headers.etag),
      'accept-encoding': 'br',
    })
    expect(other.status).toBe(200)
  })

  test('dates are not compared', async () => {
    const answer = await get('/', { 'if-modified-since': new Date().toUTCString() })
    expect(answer.status).toBe(200)
    expect(answer.headers['last-modified']).toBeUndefined()
  })
})

describe('encodings', () => {
  test('the best one that the client accepts is sent', async () => {
    const brotli = await get(`/${HASHED}`, { 'accept-encoding': 'gzip, deflate, br' })
    expect(brotli.headers['content-encoding']).toBe('br')
    expect(brotliDecompressSync(brotli.body).toString()).toBe(SCRIPT)
    const gzip = await get(`/${HASHED}`, { 'accept-encoding': 'gzip;q=1, br;q=0.5' })
    expect(gunzipSync(gzip.body).toString()).toBe(SCRIPT)
    for (const header of ['identity', 'br;q=0, gzip;q=0', 'zstd', 'br;q=2']) {
      const plain = await get(`/${HASHED}`, { 'accept-encoding': header })
      expect(plain.headers['content-encoding']).toBeUndefined()
      expect(plain.headers.vary).toBe('Accept-Encoding')
    }
    expect((await get('/video.mp4')).headers.vary).toBeUndefined()
  })
})

describe('ranges', () => {
  const content = Buffer.alloc(700_000, 'abcdefgh')
  test.each([
    ['bytes=0-9', 0, 10],
    ['bytes=699990-', 699_990, 700_000],
    ['bytes=-5', 699_995, 700_000],
    ['bytes=100-900000', 100, 700_000],
    ['bytes=-900000', 0, 700_000],
  ])('%s gets that part', async (range, start, end) => {
    const answer = await get('/video.mp4', { range })
    expect(answer.status).toBe(206)
    expect(answer.headers['content-range']).toBe(`bytes ${start}-${end - 1}/700000`)
    expect(answer.body.equals(content.subarray(start, end))).toBe(true)
  })

  test.each(['bytes=0-1,5-6', 'items=0-5', 'bytes=5-2', 'bytes=', 'bytes=-'])(
    '%s gets the whole',
    async (range) => {
      const answer = await get('/video.mp4', { range })
      expect([answer.status, answer.body.length]).toEqual([200, 700_000])
    },
  )

  test.each(['bytes=700000-', 'bytes=-0'])('%s cannot be satisfied', async (range) => {
    const answer = await get('/video.mp4', { range })
    expect([answer.status, answer.headers['content-range']]).toEqual([416, 'bytes */700000'])
  })

  test('If-Range holds for the same ETag and for nothing else', async () => {
    const etag = String((await get('/video.mp4', {}, 'HEAD')).headers.etag)
    expect((await get('/video.mp4', { range: 'bytes=0-1', 'if-range': etag })).status).toBe(206)
    expect((await get('/video.mp4', { range: 'bytes=0-1', 'if-range': '"other"' })).status).toBe(200)
    const date = new Date().toUTCString()
    expect((await get('/video.mp4', { range: 'bytes=0-1', 'if-range': date })).status).toBe(200)
  })

  test('a range is of the file itself and never of a compressed variant', async () => {
    const answer = await get(`/${HASHED}`, { range: 'bytes=0-5', 'accept-encoding': 'br' })
    expect(answer.text).toBe('export')
    expect(answer.headers['content-encoding']).toBeUndefined()
  })
})

test('HEAD has the headers of GET and no body', async () => {
  for (const path of ['/', '/video.mp4', '/nothing.png']) {
    const got = await get(path)
    const head = await get(path, {}, 'HEAD')
    expect(head.body.length).toBe(0)
    expect({ ...head.headers, date: '' }).toEqual({ ...got.headers, date: '' })
  }
})

test('a large file arrives whole', async () => {
  const sum = (content: Buffer): string => createHash('sha256').update(content).digest('hex')
  expect(sum((await get('/video.mp4')).body)).toBe(sum(Buffer.alloc(700_000, 'abcdefgh')))
})
