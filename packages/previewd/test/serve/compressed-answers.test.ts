import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { brotliDecompressSync, createGunzip, gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { compressWhole } from '../../src/serve/session/compress-whole.ts'
import {
  CompressedAnswers,
  type CompressedAnswersOptions,
} from '../../src/serve/session/compressed-answers.ts'
import { createViewers } from '../../src/serve/viewers.ts'
import { DevServers, DevSession } from './dev-session.ts'
import { HandWrittenUpstream } from './hand-written-upstream.ts'
import { type Answer, PreviewServer } from './preview-server.ts'

const FAR = { 'accept-encoding': 'gzip, deflate, br', 'x-forwarded-for': '203.0.113.7' }
const GZIP = { ...FAR, 'accept-encoding': 'gzip' }
const MODULE = 'export const a = 1\n'.repeat(500)

/** How often something was compressed, and what keeps it. */
function counted(options: CompressedAnswersOptions = {}) {
  const counts = { compressed: 0 }
  const answers = new CompressedAnswers({
    ...options,
    compress: (content, compression) => {
      counts.compressed++
      return compressWhole(content, compression)
    },
  })
  return { counts, answers }
}

function textOf({ body, headers }: Answer): string {
  const encoding = headers['content-encoding']
  if (encoding === 'br') return brotliDecompressSync(body).toString()
  return encoding === 'gzip' ? gunzipSync(body).toString() : body.toString()
}

describe('what a dev server answers over a network', () => {
  const upstreams = new Map<string, HandWrittenUpstream>()
  let server: PreviewServer
  let counts: { compressed: number }
  let answers: CompressedAnswers
  const addressOf = (id: string) => {
    const socket = upstreams.get(id)?.socket
    return socket === undefined ? undefined : { socket, revision: 1, generation: 'one' }
  }
  const get = (project: string, path: string, headers: Record<string, string> = FAR, method = 'GET') =>
    server.get(`${project}.localhost:${server.port}`, path, headers, method)
  const upstreamOf = (project: string): HandWrittenUpstream => {
    const upstream = upstreams.get(project)
    if (upstream === undefined) throw new Error(`There is no project ${project}.`)
    return upstream
  }
  const answerWith = (project: string, body: string | Buffer, headers: Record<string, string> = {}): void => {
    const length = String(Buffer.byteLength(body))
    const all = { 'content-type': 'text/javascript', 'content-length': length, etag: 'W/"same"', ...headers }
    upstreamOf(project).answer = (req, res) =>
      res.writeHead(200, all).end(req.method === 'HEAD' ? undefined : body)
  }

  async function start(options: CompressedAnswersOptions = {}): Promise<void> {
    ;({ counts, answers } = counted(options))
    server = await PreviewServer.start({
      viewers: createViewers(),
      compressed: answers,
      sessions: {
        address: addressOf,
        untilLive: async (id) => addressOf(id),
        recorded: async () => undefined,
        view: () => ({ state: 'live', viewers: 0, restarts: 0 }),
      },
    })
    server.editor = true
    for (const id of ['demo', 'other']) {
      server.addProject(id)
      upstreams.set(id, await HandWrittenUpstream.start())
      answerWith(id, MODULE)
    }
  }
  async function stop(): Promise<void> {
    await server.stop()
    for (const upstream of upstreams.values()) await upstream[Symbol.asyncDispose]()
  }
  beforeEach(() => start())
  afterEach(stop)

  test('is compressed once for all viewers, with its length and a weak ETag', async () => {
    answerWith('demo', MODULE, { etag: '"x"', vary: 'Origin', 'accept-ranges': 'bytes' })
    const [first, second] = await Promise.all([get('demo', '/main.js'), get('demo', '/main.js')])
    const third = await get('demo', '/main.js')
    expect(second.body.equals(first.body) && third.body.equals(first.body)).toBe(true)
    expect(textOf(first)).toBe(MODULE)
    expect(third.headers).toMatchObject({
      'content-encoding': 'br',
      'content-length': String(third.body.length),
      'content-type': 'text/javascript',
      etag: 'W/"x"',
      vary: 'Origin, Accept-Encoding',
      'cross-origin-resource-policy': 'same-origin',
    })
    expect(third.headers['accept-ranges']).toBeUndefined()
    expect(counts.compressed).toBe(1)
    expect(upstreamOf('demo').seen).toHaveLength(3)
  })

  test('is compressed as each client takes it', async () => {
    const gzipped = await get('demo', '/main.js', GZIP)
    expect([gzipped.headers['content-encoding'], textOf(gzipped)]).toEqual(['gzip', MODULE])
    expect((await get('demo', '/main.js')).headers['content-encoding']).toBe('br')
    const plain = await get('demo', '/main.js', { 'x-forwarded-for': '203.0.113.7' })
    expect([plain.headers['content-encoding'], plain.text]).toEqual([undefined, MODULE])
    expect(counts.compressed).toBe(2)
  })

  test('is never that of another project, whatever address and ETag it has', async () => {
    const canary = `export const secret = '${randomBytes(16).toString('hex')}'\n`.repeat(50)
    answerWith('demo', canary)
    expect(textOf(await get('demo', '/main.js'))).toBe(canary)
    expect(textOf(await get('other', '/main.js'))).toBe(MODULE)
    expect(textOf(await get('demo', '/main.js'))).toBe(canary)
    expect(counts.compressed).toBe(2)
    // Not even the time that an answer takes tells what others have.
    answerWith('other', canary)
    await get('other', '/main.js')
    expect(counts.compressed).toBe(3)
  })

  test('is what the dev server answers now: after an edit, from a liar and for an id that is used again', async () => {
    const edited = MODULE.replaceAll('a = 1', 'a = 2')
    expect(textOf(await get('demo', '/main.js'))).toBe(MODULE)
    answerWith('demo', edited, { etag: 'W/"edited"' })
    expect(textOf(await get('demo', '/main.js'))).toBe(edited)
    answerWith('demo', edited, { etag: 'W/"same"' })
    expect(textOf(await get('demo', '/main.js'))).toBe(edited)
    server.projects.delete('demo')
    expect((await get('demo', '/main.js')).status).toBe(404)
    server.addProject('demo')
    const another = MODULE.replaceAll('a = 1', 'b = 1')
    answerWith('demo', another, { etag: 'W/"same"' })
    expect(textOf(await get('demo', '/main.js'))).toBe(another)
    answerWith('demo', MODULE, { etag: 'W/"same"', 'content-type': 'text/css' })
    const back = await get('demo', '/other.css')
    expect([textOf(back), back.headers['content-type']]).toEqual([MODULE, 'text/css'])
    expect(counts.compressed).toBe(3)
  })

  test('is not compressed for questions about it, parts of it, and where nobody may change it', async () => {
    const head = await get('demo', '/main.js', FAR, 'HEAD')
    expect([head.headers['content-length'], head.body.length]).toEqual([String(MODULE.length), 0])
    answerWith('demo', MODULE, { 'cache-control': 'No-Transform' })
    expect((await get('demo', '/main.js')).text).toBe(MODULE)
    const upstream = upstreamOf('demo')
    upstream.answer = (_req, res) => res.writeHead(304, { etag: 'W/"same"' }).end()
    const same = await get('demo', '/main.js', { ...FAR, 'if-none-match': 'W/"same"' })
    expect([same.status, same.headers.etag, same.body.length]).toEqual([304, 'W/"same"', 0])
    expect(upstream.seen.at(-1)?.headers['if-none-match']).toBe('W/"same"')
    const range = { 'content-range': `bytes 0-1999/${MODULE.length}`, 'content-length': '2000' }
    const headers = { 'content-type': 'text/javascript', etag: 'W/"same"', ...range }
    upstream.answer = (_req, res) => res.writeHead(206, headers).end(MODULE.slice(0, 2000))
    const part = await get('demo', '/main.js', { ...FAR, range: 'bytes=0-1999' })
    expect([part.status, part.text]).toEqual([206, MODULE.slice(0, 2000)])
    expect(counts.compressed).toBe(0)
  })

  test.each([
    ['without an ETag', { 'content-length': String(2 * MODULE.length) }],
    ['without a length', { etag: 'W/"same"' }],
  ])('streams %s, and is compressed for each who asks', async (_name, headers) => {
    const upstream = upstreamOf('demo')
    const rest = Promise.withResolvers<void>()
    upstream.answer = (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/javascript', ...headers }).write(MODULE)
      void rest.promise.then(() => res.end(MODULE))
    }
    const to = { host: '127.0.0.1', port: server.port, path: '/stream' }
    const req = request({ ...to, headers: { host: `demo.localhost:${server.port}`, ...FAR } }).end()
    const [res] = (await once(req, 'response')) as [IncomingMessage]
    const unpacked = res.pipe(createGunzip())
    let text = String((await once(unpacked, 'data'))[0])
    expect(text).not.toBe('')
    rest.resolve()
    for await (const chunk of unpacked) text += String(chunk)
    expect(text).toBe(MODULE + MODULE)
    expect(counts.compressed).toBe(0)
  })

  test('has a bound in bytes, over all projects', async () => {
    await stop()
    const maxBytes = 20_000
    await start({ maxBytes })
    for (let count = 0; count < 20; count++) {
      answerWith('demo', randomBytes(2_000).toString('hex'))
      await get('demo', `/${count}.js`)
      expect(answers.keptBytes).toBeLessThanOrEqual(maxBytes)
    }
    expect(counts.compressed).toBe(20)
    expect(answers.keptBytes).toBeGreaterThan(maxBytes / 2)
    // What has no place is sent all the same.
    const large = randomBytes(maxBytes).toString('hex')
    answerWith('demo', large)
    expect(textOf(await get('demo', '/large.js'))).toBe(large)
    expect(answers.keptBytes).toBeLessThanOrEqual(maxBytes)
  })

  test('is compressed as it comes while too much is under way, and kept again afterwards', async () => {
    await stop()
    await start({ maxUnderWayBytes: MODULE.length })
    const upstream = upstreamOf('demo')
    const sent = Promise.withResolvers<void>()
    const headers = {
      'content-type': 'text/javascript',
      'content-length': String(MODULE.length),
      etag: '"x"',
    }
    const begun = Promise.withResolvers<void>()
    upstream.answer = (req, res) => {
      res.writeHead(200, headers).write(MODULE.slice(0, 1000))
      if (req.url === '/slow.js') begun.resolve()
      if (req.url === '/slow.js') void sent.promise.then(() => res.end(MODULE.slice(1000)))
      else res.end(MODULE.slice(1000))
    }
    const slow = get('demo', '/slow.js')
    await begun.promise
    const beside = await get('demo', '/main.js')
    expect([beside.headers['content-encoding'], textOf(beside)]).toEqual(['gzip', MODULE])
    expect(counts.compressed).toBe(0)
    sent.resolve()
    expect(textOf(await slow)).toBe(MODULE)
    expect((await get('demo', '/main.js')).headers['content-encoding']).toBe('br')
    expect(counts.compressed).toBe(1)
  })

  test('that breaks off breaks off for the client, and nothing of it is kept', async () => {
    const upstream = upstreamOf('demo')
    upstream.answer = (req, res) => {
      const headers = { 'content-type': 'text/javascript', 'content-length': '5000', etag: 'W/"same"' }
      res.writeHead(200, headers).write(MODULE.slice(0, 2000), () => req.socket.destroy())
    }
    await expect(get('demo', '/main.js')).rejects.toThrow('socket hang up')
    answerWith('demo', MODULE)
    expect(textOf(await get('demo', '/main.js'))).toBe(MODULE)
    expect([counts.compressed, server.logged]).toEqual([1, []])
  })

  test('ends for the dev server when the client goes before it is there as a whole, and leaves room', async () => {
    await stop()
    await start({ maxUnderWayBytes: MODULE.length })
    const upstream = upstreamOf('demo')
    const closed = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    upstream.answer = (_req, res) => {
      res.on('close', closed.resolve)
      const headers = {
        'content-type': 'text/javascript',
        'content-length': String(MODULE.length),
        etag: '"x"',
      }
      res.writeHead(200, headers).write(MODULE.slice(0, 2000), () => begun.resolve())
    }
    const to = { host: '127.0.0.1', port: server.port, path: '/main.js' }
    const req = request({ ...to, headers: { host: `demo.localhost:${server.port}`, ...FAR } }).end()
    req.on('error', () => undefined)
    await begun.promise
    req.destroy()
    await closed.promise
    answerWith('demo', MODULE)
    expect((await get('demo', '/main.js')).headers['content-encoding']).toBe('br')
  })
})

describe('what Vite answers over a network', () => {
  let servers: DevServers
  beforeAll(async () => {
    servers = await DevServers.open()
  })
  afterAll(() => servers[Symbol.asyncDispose]())

  test('is compressed once, and anew after an edit, also of what its ETag says nothing of', async () => {
    const { counts, answers } = counted()
    const lines = Array.from({ length: 100 }, (_, index) => `export const a${index}: number = ${index}\n`)
    const source = (type: string, value: string): string =>
      `type Words = '${type}'\nexport const words = '${value}'\n${lines.join('')}`
    const files = { 'index.html': '<!doctype html>', 'main.ts': source('one', 'first') }
    await using session = await DevSession.start(servers, files, { compressed: answers })
    const get = () => session.preview.get(session.host, '/main.ts', FAR)
    const first = await get()
    expect(textOf(first)).toContain('first')
    expect((await get()).body.equals(first.body)).toBe(true)
    expect(counts.compressed).toBe(1)
    // The types are in the map alone.
    await session.edit({ 'main.ts': source('two', 'first') })
    const retyped = await get()
    expect(retyped.headers.etag).toBe(first.headers.etag)
    expect(retyped.body.equals(first.body)).toBe(false)
    await session.edit({ 'main.ts': source('two', 'second') })
    expect(textOf(await get())).toContain('second')
    expect(counts.compressed).toBe(3)
  })
})
