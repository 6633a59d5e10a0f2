import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { rewriteTarballs, tarballRewriter } from '../../src/environment/packument.ts'
import {
  type RegistryProxy,
  type RegistryProxyOptions,
  startRegistryProxy,
} from '../../src/environment/registry-proxy.ts'
import { startFixtureRegistry } from './fixture-registry.ts'

async function startProxy(
  options: Omit<RegistryProxyOptions, 'socket' | 'cacheDir'>,
): Promise<RegistryProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'previewd-proxy-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const proxy = await startRegistryProxy({
    ...options,
    socket: join(folder, 'run', 'registry.sock'),
    cacheDir: join(folder, 'metadata'),
  })
  onTestFinished(() => proxy.close())
  return proxy
}

async function ask(proxy: RegistryProxy, path: string, options: { method?: string; headers?: object } = {}) {
  const sent = request({
    socketPath: proxy.socket,
    path,
    method: options.method ?? 'GET',
    headers: { ...options.headers },
  })
  sent.end()
  const [response] = await once(sent, 'response')
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

async function fixture(token?: string) {
  const packages = [
    { name: 'leaf', version: '1.0.0' },
    { name: '@scope/part', version: '1.0.0' },
  ]
  const registry = await startFixtureRegistry({ packages, ...(token === undefined ? {} : { token }) })
  onTestFinished(() => registry.close())
  return registry
}

test('Metadata passes with its tarballs pointed at the proxy, and tarballs pass', async () => {
  const proxy = await startProxy({ registryUrl: (await fixture()).url })
  const metadata = JSON.parse((await ask(proxy, '/@scope%2fpart')).body)
  expect(metadata.versions['1.0.0'].dist.tarball).toBe('http://127.0.0.1:4873/@scope/part/-/part-1.0.0.tgz')
  const tarball = await ask(proxy, '/@scope/part/-/part-1.0.0.tgz')
  expect(tarball.status).toBe(200)
  expect(tarball.body.length).toBeGreaterThan(0)
  expect(await proxy.knownVersions('@scope/part')).toEqual(['1.0.0'])
})

test.each([
  '/',
  '/../etc/passwd',
  '/leaf/../../x',
  '/-/v1/search?text=x',
  '/-/user/token',
  '/leaf?write=true',
  '/http://127.0.0.1/',
  '//127.0.0.1/leaf',
  '/leaf/-/%2e%2e%2fsecret',
  '/@scope/part/extra',
])('A path that is neither metadata nor a tarball is refused: %s', async (path) => {
  const registry = await fixture()
  const proxy = await startProxy({ registryUrl: registry.url })
  expect((await ask(proxy, path)).status).toBe(404)
  expect(registry.requests).toEqual([])
})

test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('%s is refused', async (method) => {
  const registry = await fixture()
  const proxy = await startProxy({ registryUrl: registry.url })
  expect((await ask(proxy, '/leaf', { method })).status).toBe(405)
  expect(registry.requests).toEqual([])
})

test('Metadata is asked for once while it is fresh', async () => {
  const registry = await fixture()
  const proxy = await startProxy({ registryUrl: registry.url })
  await ask(proxy, '/leaf')
  await ask(proxy, '/leaf')
  expect(registry.requests).toEqual(['GET /leaf'])
})

test('The token goes to the registry, and what the installer sends as authorization does not', async () => {
  const registry = await fixture('right')
  const proxy = await startProxy({ registryUrl: registry.url, token: 'right' })
  const headers = { authorization: 'Bearer wrong' }
  expect((await ask(proxy, '/leaf', { headers })).status).toBe(200)
})

test.each(['gzip', 'br'] as const)(
  'Metadata that comes as %s is passed on as it is meant',
  async (encoding) => {
    const compress = encoding === 'gzip' ? gzipSync : brotliCompressSync
    const server = createServer((asked, response) => {
      expect(asked.headers['accept-encoding']).toContain(encoding)
      response.writeHead(200, { 'content-encoding': encoding }).end(compress('{"name":"leaf"}'))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const registryUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const proxy = await startProxy({ registryUrl })
    const { body, headers } = await ask(proxy, '/leaf')
    expect(body).toBe('{"name":"leaf"}')
    expect(headers['content-encoding']).toBeUndefined()
  },
)

test('Redirects are not followed', async () => {
  const target = await fixture()
  const server = createServer((_request, response) => {
    response.writeHead(302, { location: `${target.url}leaf` }).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const registryUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const proxy = await startProxy({ registryUrl })
  expect((await ask(proxy, '/leaf')).status).toBe(502)
  expect((await ask(proxy, '/leaf/-/leaf-1.0.0.tgz')).status).toBe(502)
  expect(target.requests).toEqual([])
})

test('Answers over the limits are cut off', async () => {
  const registry = await fixture()
  const limits = { metadataBytes: 100, tarballBytes: 100 }
  const proxy = await startProxy({ registryUrl: registry.url, limits })
  expect((await ask(proxy, '/leaf')).status).toBe(502)
  await expect(ask(proxy, '/leaf/-/leaf-1.0.0.tgz')).rejects.toThrow(/aborted|hang up/)
  expect(proxy.failureSince(0)).toContain('too large')
})

test('A registry that does not answer is given up', async () => {
  const server = createServer(() => undefined).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const registryUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const startedAt = Date.now()
  const proxy = await startProxy({ registryUrl, limits: { answerTimeoutMs: 100 } })
  expect((await ask(proxy, '/leaf')).status).toBe(502)
  expect(proxy.failureSince(startedAt)).toContain('too long')
})

test.each([
  ['Metadata', '/leaf', /^502$/],
  ['A tarball', '/leaf/-/leaf-1.0.0.tgz', /aborted|hang up/],
])('%s whose bytes stop for good is given up, and can be asked for again', async (_, path, outcome) => {
  const registry = await fixture()
  const proxy = await startProxy({ registryUrl: registry.url, limits: { stallTimeoutMs: 1000 } })
  registry.stall(path)
  const answer = ask(proxy, path).then(({ status }) => String(status), String)
  expect(await answer).toMatch(outcome)
  await expect.poll(() => proxy.failureSince(0)).toContain('sent nothing')
  expect((await ask(proxy, path)).status).toBe(200)
})

test('A tarball whose reader is slow is not given up', async () => {
  const size = 4 * 1024 * 1024
  const stallTimeoutMs = 500
  const server = createServer((_request, response) => response.end(Buffer.alloc(size))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const registryUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const proxy = await startProxy({ registryUrl, limits: { stallTimeoutMs } })
  const sent = request({ socketPath: proxy.socket, path: '/leaf/-/leaf-1.0.0.tgz' }).end()
  const [response] = await once(sent, 'response')
  await delay(3 * stallTimeoutMs)
  expect((await buffer(response)).length).toBe(size)
})

test('A registry that breaks its answer off breaks it off for the installer, and nothing else', async () => {
  const server = createServer((asked, response) => {
    if (asked.url === '/leaf') return void response.end('{}')
    response.writeHead(200, { 'content-length': 9 }).write('half', () => asked.socket.resetAndDestroy())
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const proxy = await startProxy({
    registryUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  })
  await expect(ask(proxy, '/leaf/-/leaf-1.0.0.tgz')).rejects.toThrow('aborted')
  expect((await ask(proxy, '/leaf')).status).toBe(200)
})

test('The socket is open to the installer, in a folder that cannot be listed', async () => {
  const proxy = await startProxy({ registryUrl: (await fixture()).url })
  expect((await stat(proxy.socket)).mode & 0o777).toBe(0o666)
  expect((await stat(dirname(proxy.socket))).mode & 0o777).toBe(0o711)
})

test('Tarball addresses below a path of the registry, and on other hosts, lead to the proxy', () => {
  const rewrite = (address: string) =>
    rewriteTarballs(`{"dist":{"tarball": "${address}"}}`, 'https://host.example/api/npm/')
  expect(rewrite('https://host.example/api/npm/a/-/a-1.0.0.tgz')).toContain(
    '"http://127.0.0.1:4873/a/-/a-1.0.0.tgz"',
  )
  expect(rewrite('https://cdn.example/x/@s/a/-/a-1.0.0.tgz')).toContain(
    '"http://127.0.0.1:4873/@s/a/-/a-1.0.0.tgz"',
  )
})

test('A stream is rewritten like the whole, wherever its chunks end', async () => {
  const address = fc.constantFrom(
    'https://host.example/a/-/a-1.0.0.tgz',
    'https://other.example/b/-/b.tgz',
    'odd',
    'ü'.repeat(700),
  )
  const piece = fc.oneof(
    fc.string(),
    address.map((url) => `"dist":{"tarball": "${url}"}`),
    fc.constantFrom('"tarball"', '"tarb', 'é'),
  )
  const chunks = fc.integer({ min: 1, max: 40 })
  await fc.assert(
    fc.asyncProperty(fc.array(piece), chunks, async (pieces, chunkBytes) => {
      const whole = pieces.join('')
      const bytes = Buffer.from(whole)
      const cuts = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, index) =>
        bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
      )
      const rewritten = await text(Readable.from(cuts).pipe(tarballRewriter('https://host.example/')))
      expect(rewritten).toBe(rewriteTarballs(whole, 'https://host.example/'))
    }),
  )
})
