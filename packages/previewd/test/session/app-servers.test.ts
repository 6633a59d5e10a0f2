import { once } from 'node:events'
import { request } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createEgress } from '../../src/egress/egress-proxy.ts'
import { type BuiltServer, CODE, DESCRIPTION, type Reached, serverId } from '../../src/model/app-server.ts'
import { AwakeServers } from '../../src/session/app-servers.ts'
import { openPipeline, type PipelineUnderTest } from '../pipeline/pipeline-under-test.ts'

const WAIT_MS = 60_000
const IDLE_MS = 60_000
const BUILT: BuiltServer = {
  framework: 'Some',
  root: 'web',
  entry: 'out/server.mjs',
  run: 'node',
  site: 'out/public',
  needsPackages: false,
  links: [],
}
const program = (answer: string) => `import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
createServer(async (req, res) => {
  if (req.url === '/crash') process.exit(3)
  res.end(String(${answer}))
}).listen(Number(process.env.PORT), process.env.HOST)
`

let under: PipelineUnderTest
let servers: AwakeServers
let nowMs = Date.now()
let lines: string[] = []
let made = 0

beforeAll(async () => {
  under = await openPipeline()
  under.store.projects.put('shop', { env: { VITE_NAME: 'given' } })
  under.store.projects.put('other', {})
})
afterAll(async () => {
  expect(under.errors).toEqual([])
  await under[Symbol.asyncDispose]()
})
afterEach(() => servers.close())

function open(max = 2): void {
  const socketDir = `${under.dataDir}/run`
  const { store, artifacts, parts } = under
  lines = []
  servers = new AwakeServers({
    ...store,
    ...parts,
    artifacts,
    egress: createEgress({ maximum: 'none', allowedHosts: [], privateNetworks: [], socketDir }),
    variables: ({ env }) => env,
    socketDir,
    memoryBytes: 256 * 1024 * 1024,
    processes: 64,
    logBytes: 64 * 1024,
    onLog: (_project, { text }) => lines.push(text),
    onError: (error) => under.errors.push(error),
    max,
    idleMs: IDLE_MS,
    now: () => nowMs,
  })
}

/** A build whose server is this code; answers with its id. */
async function addBuild(
  code: Record<string, string>,
  built: Partial<BuiltServer> = {},
  project = 'shop',
): Promise<string> {
  const id = `build${String(++made).padStart(7, '0')}`
  const times = { queuedAt: new Date().toISOString(), finishedAt: new Date().toISOString() }
  const state = 'succeeded' as const
  under.store.builds.insert({ id, project, revision: 1, state, ...times, diagnostics: [], timings: {} })
  const site = await under.artifacts.create(project, id)
  await site.add('seen.txt', Buffer.from('of the site'))
  await site.seal()
  const server = await under.artifacts.create(project, serverId(id))
  for (const [path, text] of Object.entries(code)) await server.add(`${CODE}web/${path}`, Buffer.from(text))
  await server.add(DESCRIPTION, Buffer.from(JSON.stringify({ ...BUILT, ...built })))
  await server.seal()
  return id
}

async function ask(reached: Reached, path = '/', headers: Record<string, string> = {}): Promise<string> {
  if (!('socket' in reached)) throw new Error(JSON.stringify(reached))
  const asked = request({
    socketPath: reached.socket,
    path,
    agent: false,
    headers: { host: 'demo.test', ...headers },
  })
  const [answer] = await once(asked.end(), 'response')
  return (await Array.fromAsync(answer as AsyncIterable<Buffer>)).join('')
}

const reach = (id: string, project = 'shop') => servers.reach(project, id, { waitMs: WAIT_MS })

describe('the server of a build', () => {
  it('runs with its files, the site and the variables of its project', async () => {
    open()
    const answer =
      "readFileSync('linked/seen.txt', 'utf8') + ' ' + process.env.VITE_NAME + ' ' + process.cwd()"
    const links: BuiltServer['links'] = [{ kind: 'link', path: 'web/linked', target: 'out/public' }]
    const id = await addBuild({ 'out/server.mjs': program(answer) }, { links })
    expect(await ask(await reach(id))).toBe('of the site given /app/web')
    expect(lines).toContainEqual(expect.stringMatching(/answers after \d+ ms/))
  })

  it('is called where it is a handler of requests, with the address that the client used', async () => {
    open()
    const handler = `export default { async fetch(request) {
      const headers = new Headers([['set-cookie', 'a=1'], ['set-cookie', 'b=2']])
      return new Response(request.url, { headers })
    } }`
    const id = await addBuild({ 'out/server.mjs': handler }, { run: 'fetch' })
    const reached = await reach(id)
    const answer = await ask(reached, '/a?b=c', { 'x-forwarded-proto': 'https' })
    expect(answer).toBe('https://demo.test/a?b=c')
  })

  it.each([
    [
      'a middleware',
      'export const handler = (req, res, next) => (req.url === "/" ? res.end("handled") : next())',
    ],
    [
      'a worker',
      'export default { fetch: (request, env, context) => new Response("handled" + typeof context.waitUntil) }',
    ],
  ])('is called where it is %s for a host of another kind', async (_name, code) => {
    open()
    const id = await addBuild({ 'out/server.mjs': code })
    expect(await ask(await reach(id))).toMatch(/^handled/)
  })

  it('sleeps when nobody asks for long, and wakes for who asks then', async () => {
    open()
    const id = await addBuild({ 'out/server.mjs': program('Date.now()') })
    const first = await ask(await reach(id))
    expect(servers.view('shop', id)).toEqual({ state: 'live' })
    nowMs += IDLE_MS
    await servers.sweep()
    expect(servers.view('shop', id)).toEqual({ state: 'asleep' })
    expect(await ask(await reach(id))).not.toBe(first)
  })

  it('is started again after a crash, not for ever, and the reason is in the log', async () => {
    open()
    const id = await addBuild({ 'out/server.mjs': program('1') })
    const gone = () => lines.filter((line) => line.includes('is gone')).length
    for (let crash = 0; crash < 4; crash++) {
      await ask(await reach(id), '/crash').catch(() => undefined)
      await expect.poll(gone, { timeout: WAIT_MS }).toBe(crash + 1)
      nowMs += 60_000
    }
    const reason = expect.stringContaining('exit code 3')
    expect(await reach(id)).toEqual({ unavailable: 'failed', reason })
    expect(servers.view('shop', id)).toEqual({ state: 'failed', reason })
    nowMs += 5 * 60_000
    expect(await ask(await reach(id))).toBe('1')
  })

  it('says in the log what the policy of its project refused', async () => {
    open()
    const answer = "await fetch('http://example.com/').then(() => 'reached', () => 'not reached')"
    const id = await addBuild({ 'out/server.mjs': program(answer) })
    expect(await ask(await reach(id))).toBe('not reached')
    expect(lines).toContainEqual(expect.stringContaining('previewd refused example.com:80'))
  })

  it('goes on answering until the one of the next build can', async () => {
    open()
    const first = await addBuild({ 'out/server.mjs': program("'first'") })
    await reach(first)
    const next = await addBuild({ 'out/server.mjs': program("'next'") })
    expect(await ask(await servers.reach('shop', next, { waitMs: 0 }))).toBe('first')
    await expect.poll(async () => await ask(await reach(next)), { timeout: WAIT_MS }).toBe('next')
    expect(await ask(await servers.reach('shop', first, { waitMs: 0, only: true }))).toBe('first')
  })

  it('is that of the newest build for who can wait a moment', async () => {
    open()
    await reach(await addBuild({ 'out/server.mjs': program("'first'") }))
    const next = await addBuild({ 'out/server.mjs': program("'next'") })
    expect(await ask(await reach(next))).toBe('next')
  })

  it('that does not start leaves the one before as it is', async () => {
    open()
    const first = await addBuild({ 'out/server.mjs': program("'first'") })
    await reach(first)
    const broken = await addBuild({ 'out/server.mjs': "throw new Error('does not start')" })
    await servers.reach('shop', broken, { waitMs: 0 })
    await expect.poll(() => lines.join('\n'), { timeout: WAIT_MS }).toContain('does not start')
    expect(await ask(await reach(broken))).toBe('first')
  })

  it('gives its place to another when it was left alone, and keeps it from who comes at once', async () => {
    open(1)
    const one = await addBuild({ 'out/server.mjs': program("'one'") })
    const other = await addBuild({ 'out/server.mjs': program("'other'") }, {}, 'other')
    await reach(one)
    expect(await servers.reach('other', other, { waitMs: 50 })).toEqual({ unavailable: 'starting' })
    expect(await ask(await reach(one))).toBe('one')
    nowMs += 10_000
    await servers.sweep()
    expect(await ask(await reach(other, 'other'))).toBe('other')
  })

  it('of a project that is deleted ends', async () => {
    open()
    const id = await addBuild({ 'out/server.mjs': program("'here'") })
    const reached = await reach(id)
    await servers.stop('shop')
    await expect(ask(reached)).rejects.toThrow()
  })
})
