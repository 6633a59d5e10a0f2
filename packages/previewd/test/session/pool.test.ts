import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEgress } from '../../src/egress/egress-proxy.ts'
import type { SessionView } from '../../src/model/session.ts'
import type { Workers } from '../../src/model/worker.ts'
import { batchOf, openPipeline, type PipelineUnderTest } from '../pipeline/pipeline-under-test.ts'

const READY_TIMEOUT_MS = 100_000
/** Not among the names of this machine that requests go to without the proxy. */
const OUTSIDE = '127.0.0.2'

let under: PipelineUnderTest
let workers: Workers
let outside: Server
let url: string
const lines: { project: string; text: string }[] = []

beforeAll(async () => {
  outside = createServer((_, answer) => answer.end('reached'))
  await once(outside.listen(0, OUTSIDE), 'listening')
  const { port } = outside.address() as AddressInfo
  url = `http://${OUTSIDE}:${port}/`
  under = await openPipeline({
    poolSize: 2,
    observe: (real) => {
      workers = real
      return real
    },
    egress: (socketDir) =>
      createEgress({
        socketDir,
        maximum: 'public',
        allowedHosts: [],
        privateNetworks: ['127.0.0.0/8'],
        ports: [port],
      }),
    sessions: { onLog: (project, { text }) => void lines.push({ project, text }) },
  })
})
afterAll(async () => {
  expect(under.errors).toEqual([])
  await under[Symbol.asyncDispose]()
  outside.close()
})

/** Tells what it finds in its process and sandbox, tries the way out, and leaves traces of the project everywhere. */
const CONFIG = (name: string) => `import { readdirSync, writeFileSync } from 'node:fs'
const counts = () => process.eventNames().map((name) => [String(name), process.listenerCount(name)])
const found = JSON.stringify({
  globals: Reflect.ownKeys(globalThis).map(String),
  listeners: counts(),
  env: process.env,
  argv: process.argv,
  cwd: process.cwd(),
  tmp: readdirSync('/tmp', { recursive: true }),
  app: readdirSync('/app'),
})
globalThis.leftBy = '${name}'
process.env.LEFT_BY = '${name}'
process.on('SIGUSR2', () => {})
writeFileSync('/tmp/left-by-${name}', '')
console.log('said by ${name}')
const answer = async (path) => path === '/found' ? found : await (await fetch('${url}')).text()
export default { plugins: [{ name: 'tell', configureServer(server) {
  for (const path of ['/found', '/out']) {
    server.middlewares.use(path, (_, res) => answer(path).then((text) => res.end(text), (error) => res.end(String(error))))
  }
} }] }`

async function live(project: string, egress: 'none' | 'public'): Promise<SessionView> {
  under.store.projects.put(project, { egress, env: {} })
  await under.store.files.apply(
    project,
    batchOf({
      'package.json': '{"type":"module","devDependencies":{"vite":"^8.0.0"}}',
      'index.html': '<script type="module" src="/main.ts"></script>',
      'main.ts': `console.log('${project}' as string)`,
      'vite.config.js': CONFIG(project),
    }),
  )
  under.sessions.ensure(project)
  const settled = (state: string) => state === 'live' || state === 'error'
  await expect
    .poll(() => under.sessions.view(project).state, { timeout: READY_TIMEOUT_MS, interval: 20 })
    .toSatisfy(settled)
  expect(under.sessions.view(project)).toMatchObject({ state: 'live' })
  return under.sessions.view(project)
}

async function get(project: string, path: string): Promise<string> {
  const { socket = '' } = under.sessions.address(project) ?? {}
  const asked = request({
    socketPath: socket,
    path,
    agent: false,
    headers: { host: 'demo.example.org' },
  }).end()
  const [answer] = await once(asked, 'response')
  return (await Array.fromAsync(answer as AsyncIterable<Buffer>)).join('')
}

describe('a session of a worker that waited', () => {
  it('finds what one finds that was started for it, and nothing of the session before', async () => {
    expect(await live('first', 'none')).toMatchObject({ pool: 'miss' })
    await under.sessions.stop('first', '')
    await expect.poll(() => workers.pool().waiting, { timeout: READY_TIMEOUT_MS }).toBe(1)
    // Both at once: whoever came later could find that the pool has been filled again.
    const views = await Promise.all(['second', 'third'].map((project) => live(project, 'none')))
    expect(views.map(({ pool }) => pool).toSorted()).toEqual(['hit', 'miss'])
    expect(views).toMatchObject([{ startMs: expect.any(Number) }, { startMs: expect.any(Number) }])
    const found = await Promise.all(['second', 'third'].map((project) => get(project, '/found')))
    expect(sorted(found[0])).toEqual(sorted(found[1]))
    expect(found.join()).not.toContain('first')
    expect(await get('second', '/main.ts')).toContain('second')
    expect(lines.filter(({ project }) => project === 'second')).toEqual([
      { project: 'second', text: 'said by second' },
    ])
    await Promise.all(['second', 'third'].map((project) => under.sessions.stop(project, '')))
  })

  it('may reach what its own project may, whoever had a worker before', async () => {
    for (const [project, egress, answer] of [
      ['open', 'public', 'reached'],
      ['closed', 'none', 'TypeError: fetch failed'],
      ['open-again', 'public', 'reached'],
    ] as const) {
      await expect.poll(() => workers.pool().waiting, { timeout: READY_TIMEOUT_MS }).toBe(1)
      expect(await live(project, egress)).toMatchObject({ pool: 'hit' })
      expect(await get(project, '/out')).toBe(answer)
      await under.sessions.stop(project, '')
    }
    const refused = lines.filter(({ text }) => text.includes('previewd refused'))
    expect(refused.map(({ project }) => project)).toEqual(['closed'])
  })
})

/** Without what depends on the time at which something was done. */
function sorted(text: string | undefined): unknown {
  const { globals, listeners, tmp, app, ...rest } = JSON.parse(text ?? '') as Record<string, unknown[]>
  return {
    ...rest,
    globals: globals?.toSorted(),
    listeners: listeners?.map(String).toSorted(),
    tmp: tmp?.toSorted(),
    app: app?.toSorted(),
  }
}
