import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { createEgress } from '../../src/egress/egress-proxy.ts'
import { batchOf, openPipeline, type PipelineUnderTest } from '../pipeline/pipeline-under-test.ts'
import { askDevServer } from './dev-server.ts'

/** Stands for an address of the internet; the other one is of the machine, and nobody's business. */
const PUBLIC = '127.0.0.2'
const PRIVATE = '127.0.0.1'
const APP = {
  'package.json': '{"type":"module","devDependencies":{"vite":"^8.0.0"}}',
  'index.html': '<p>hi',
  'vite.config.js': `export default { plugins: [{ name: 'out', configureServer(server) {
    server.middlewares.use('/out', async (req, res) => {
      const url = decodeURIComponent(req.url.slice(2))
      try { res.end(await (await fetch(url)).text()) } catch (error) { res.end('refused: ' + error.cause) }
    })
  } }] }`,
}

let inside: Server
let outside: Server
let port: number
let asked: string[]
let names: Record<string, string[][]>
let under: PipelineUnderTest

async function listen(host: string, at: number, answer: RequestListener): Promise<Server> {
  const server = createServer((req, res) => answer(req, res.setHeader('connection', 'close')))
  server.listen(at, host)
  await once(server, 'listening')
  return server
}

beforeAll(async () => {
  // First at the address that every other test takes ports of: one that is free there is free at the other.
  inside = await listen(PRIVATE, 0, (req, res) => {
    asked.push(String(req.url))
    res.end('secret')
  })
  port = (inside.address() as AddressInfo).port
  outside = await listen(PUBLIC, port, (req, res) => {
    const [, to] = req.url?.split('?to=') ?? []
    if (to === undefined) res.end('from outside')
    else res.writeHead(302, { location: decodeURIComponent(to) }).end()
  })
  under = await openPipeline({
    egress: (socketDir) =>
      createEgress({
        socketDir,
        maximum: 'public',
        allowedHosts: [],
        privateNetworks: [`${PUBLIC}/32`],
        ports: [port],
        // Each answer of a name but the last is given once.
        resolve: async (name) => {
          const answers = names[name] ?? [[name]]
          return (answers.length > 1 ? answers.shift() : answers[0]) ?? []
        },
      }),
  })
  under.store.projects.put('out', { egress: 'public' })
  await under.store.files.apply('out', batchOf(APP))
  under.sessions.ensure('out')
  await vi.waitUntil(() => under.sessions.view('out').state === 'live', 100_000)
})
afterAll(async () => {
  expect(under.errors).toEqual([])
  await under[Symbol.asyncDispose]()
  inside.close()
  outside.close()
})
beforeEach(() => {
  asked = []
  names = {
    'outside.example': [[PUBLIC]],
    'inside.example': [[PRIVATE]],
    'both.example': [[PUBLIC, PRIVATE]],
  }
})

async function fetchInside(host: string, path = '/'): Promise<string> {
  const url = encodeURIComponent(`http://${host}:${port}${path}`)
  return (await askDevServer(under.sessions.address('out')?.socket ?? '', `/out?${url}`)).text
}

it('a session reaches what is public, by name and by address', async () => {
  expect(await fetchInside('outside.example')).toBe('from outside')
  expect(await fetchInside(PUBLIC)).toBe('from outside')
})

it.each([
  PRIVATE,
  'localhost',
  'inside.example',
  'both.example',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '169.254.169.254',
])('a session does not reach %s', async (host) => {
  expect(await fetchInside(host)).not.toContain('outside')
  expect(asked).toEqual([])
})

it.each([PRIVATE, 'inside.example', 'localhost', '169.254.169.254'])(
  'a redirect does not lead a session to %s',
  async (host) => {
    const to = encodeURIComponent(`http://${host}:${port}/`)
    expect(await fetchInside('outside.example', `/?to=${to}`)).toContain('refused')
    expect(asked).toEqual([])
  },
)

it('a name that changes its address between the look at it and its use leads a session nowhere else', async () => {
  names['turns.example'] = [[PUBLIC], [PRIVATE]]
  expect(await fetchInside('turns.example')).toBe('from outside')
  expect(await fetchInside('turns.example')).toContain('refused')
  names['returns.example'] = [[PRIVATE], [PUBLIC]]
  expect(await fetchInside('returns.example')).toContain('refused')
  expect(asked).toEqual([])
})
