import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEgress } from '../../src/egress/egress-proxy.ts'
import type { ProjectEvent } from '../../src/model/event.ts'
import { createViewers, type OpenViewers } from '../../src/serve/viewers.ts'
import { batchOf, openPipeline, type PipelineUnderTest } from './pipeline-under-test.ts'

const WAIT_MS = 100_000
/** Longer than any of these tests: what is built is built because somebody asked. */
const QUIET_MS = 600_000
const APP = {
  'package.json': '{"type":"module","devDependencies":{"vite":"^8.0.0"}}',
  'index.html': '<script type="module" src="/main.js"></script>',
  'main.js': 'import { a } from "./a.js"; console.log(a); import.meta.hot?.accept()',
  'a.js': 'export const a = "first"',
}

let under: PipelineUnderTest
let viewers: OpenViewers
/** Projects whose built servers were ended. */
const stopped: string[] = []
let host: Server
let port: number

beforeAll(async () => {
  // Stands for a host on the internet.
  host = createServer((_incoming, answer) => answer.end('from outside'))
  host.listen(0, '127.0.0.2')
  await once(host, 'listening')
  port = (host.address() as AddressInfo).port
  viewers = createViewers()
  under = await openPipeline({
    build: { quietMs: QUIET_MS },
    sessions: { viewers },
    appServers: {
      view: () => ({ state: 'asleep' }),
      stop: async (project) => void stopped.push(project),
    },
    egress: (socketDir) =>
      createEgress({
        socketDir,
        maximum: 'public',
        allowedHosts: [],
        privateNetworks: ['127.0.0.2/32'],
        ports: [port],
      }),
  })
})
afterAll(async () => {
  expect(under.errors).toEqual([])
  await under[Symbol.asyncDispose]()
  host.close()
})

async function change(id: string, files: Record<string, string>): Promise<number> {
  return (await under.pipeline.applyChanges(id, batchOf(files))).revision
}

/** A project with a live session and a published build. */
async function live(id: string, files: Record<string, string> = {}): Promise<void> {
  await under.push(id, { ...APP, ...files })
  await under.pipeline.startSession(id)
  expect(await under.pipeline.waitFor(id, 1, 'live', WAIT_MS)).toBe(true)
  expect(under.pipeline.status(id).session).toMatchObject({ state: 'live', revision: 1 })
}

/** What the session of a project says from now on. */
function sessionLines(id: string): { lines: string[]; stop: () => void } {
  const lines: string[] = []
  const stop = under.events.listen(({ type, project, data }) => {
    const { session, lines: said = [] } = data as { session?: true; lines?: { text: string }[] }
    if (type === 'log' && project === id && session) lines.push(...said.map(({ text }) => text))
  })
  return { lines, stop }
}

async function get(id: string, path: string): Promise<string> {
  const { socket = '' } = under.sessions.address(id) ?? {}
  const [answer] = await once(request({ socketPath: socket, path, agent: false }).end(), 'response')
  return (await Array.fromAsync(answer as AsyncIterable<Buffer>)).join('')
}

function sessionEvents(id: string): { data: unknown[]; stop: () => void } {
  const data: unknown[] = []
  const stop = under.events.listen((event: ProjectEvent) => {
    if (event.project === id && event.type === 'session') data.push(event.data)
  })
  return { data, stop }
}

describe('changes of a project whose caller starts a session', () => {
  it('are built when somebody asks, and not beside the start', async () => {
    const { revision } = await under.pipeline.applyChanges('coming', batchOf(APP), { startsSession: true })
    await under.pipeline.startSession('coming')
    expect(await under.pipeline.waitFor('coming', revision, 'live', WAIT_MS)).toBe(true)
    expect(under.pipeline.status('coming')).toMatchObject({ session: { state: 'live' }, build: null })
    expect(await under.pipeline.waitFor('coming', revision, 'built', WAIT_MS)).toBe(true)
    await under.pipeline.stopSession('coming')
  })

  it('are built at once where the project can have none', async () => {
    const files = batchOf({ 'index.html': 'plain' })
    await under.pipeline.applyChanges('plain', files, { startsSession: true })
    await under.pipeline.startSession('plain')
    expect(await under.pipeline.waitFor('plain', 1, 'live', WAIT_MS)).toBe(true)
    expect(under.pipeline.status('plain')).toMatchObject({
      session: { state: 'off' },
      published: { revision: 1 },
    })
  })
})

describe('changes of a project with a live session', () => {
  it('are shown at once and built when somebody asks', async () => {
    await live('shown')
    await get('shown', '/main.js')
    const heard = sessionEvents('shown')
    const revision = await change('shown', { 'a.js': 'export const a = "second"' })
    expect(await under.pipeline.waitFor('shown', revision, 'live', WAIT_MS)).toBe(true)
    await expect
      .poll(() => heard.data)
      .toContainEqual(
        expect.objectContaining({ state: 'live', revision, kind: expect.any(String), errors: [] }),
      )
    heard.stop()
    expect(under.pipeline.status('shown')).toMatchObject({ revision, build: { revision: 1 }, state: 'ready' })
    expect(await get('shown', '/a.js')).toContain('second')
    expect(await under.pipeline.waitFor('shown', revision, 'built', WAIT_MS)).toBe(true)
    expect(under.pipeline.status('shown')).toMatchObject({ published: { revision } })
    await under.pipeline.stopSession('shown')
  })

  it('are built by a forced build, once', async () => {
    await live('forced')
    const revision = await change('forced', { 'a.js': 'export const a = "second"' })
    const build = await under.pipeline.requestBuild('forced', {})
    expect(build.revision).toBe(revision)
    await under.pipeline.waitFor('forced', revision, 'built', WAIT_MS)
    expect(under.store.builds.list('forced', { limit: 10 }).items).toHaveLength(2)
    await under.pipeline.stopSession('forced')
  })

  it('have transform errors as diagnostics for as long as they last', async () => {
    await live('errors', {
      'a.ts': 'export const a = 1',
      'main.js': 'import { a } from "./a.ts"; console.log(a)',
    })
    for (const path of ['/main.js', '/a.ts']) await get('errors', path)
    await change('errors', { 'a.ts': 'export const = 1' })
    await expect
      .poll(() => under.pipeline.status('errors').diagnostics, { timeout: WAIT_MS })
      .toMatchObject([{ origin: 'transform', severity: 'error', file: 'a.ts', line: 1, revision: 2 }])
    await change('errors', { 'a.ts': 'export const a = 2' })
    await expect.poll(() => under.pipeline.status('errors').diagnostics, { timeout: WAIT_MS }).toEqual([])
    await under.pipeline.stopSession('errors')
  })

  it('are painted when an open page says so, at once where none had to change, and where none is open', async () => {
    await live('painted')
    for (const path of ['/main.js', '/a.js']) await get('painted', path)
    expect(await under.pipeline.waitFor('painted', 1, 'painted', 0)).toBe(true)
    const page = viewers.enter('painted')
    expect(under.pipeline.status('painted').session.viewers).toBe(1)
    page?.report({ revision: 1, errors: 0, visible: true })
    const unused = await change('painted', { 'notes.txt': 'x' })
    expect(await under.pipeline.waitFor('painted', unused, 'painted', WAIT_MS)).toBe(true)
    page?.shows('build')
    expect(await under.pipeline.waitFor('painted', unused, 'painted', 0)).toBe(false)
    page?.shows('session', under.sessions.address('painted')?.generation)
    page?.report({ revision: 1, errors: 0, visible: true })
    expect(await under.pipeline.waitFor('painted', unused, 'painted', 0)).toBe(true)
    const used = await change('painted', { 'a.js': 'export const a = 3' })
    await under.pipeline.waitFor('painted', used, 'live', WAIT_MS)
    expect(await under.pipeline.waitFor('painted', used, 'painted', 0)).toBe(false)
    const waiting = under.pipeline.waitFor('painted', used, 'painted', WAIT_MS)
    page?.report({ revision: used, errors: 2, visible: false })
    expect(await waiting).toBe(true)
    expect(under.pipeline.status('painted').painted).toMatchObject({
      revision: used,
      errors: 2,
      visible: false,
    })
    page?.leave()
    await under.pipeline.stopSession('painted')
  })
})

describe('a session', () => {
  it('of plain files is the build', async () => {
    const revision = await change('plain', { 'index.html': '<p>hi' })
    await under.pipeline.startSession('plain')
    expect(await under.pipeline.waitFor('plain', revision, 'live', WAIT_MS)).toBe(true)
    expect(under.pipeline.status('plain')).toMatchObject({ state: 'ready', session: { state: 'off' } })
  })

  it('tells what its dev server writes, without the values of its settings', async () => {
    const config = `export default { plugins: [{ name: 'out', configureServer(server) {
      server.middlewares.use('/say', (_request, answer) => {
        console.log('heard', process.env.VITE_SECRET)
        answer.end() }) } }] }`
    under.pipeline.putProject('talks', { env: { VITE_SECRET: 'long-enough-to-hide' } })
    await live('talks', { 'vite.config.js': config })
    const { lines, stop } = sessionLines('talks')
    await get('talks', '/say')
    await expect.poll(() => lines, { timeout: WAIT_MS }).toContain('heard [redacted]')
    stop()
    await under.pipeline.stopSession('talks')
  })

  it('ends with its project', async () => {
    await live('deleted')
    await under.pipeline.deleteProject('deleted')
    expect(under.sessions.view('deleted').state).toBe('off')
    await expect(under.pipeline.startSession('deleted')).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' })
  })

  it('follows settings: other hosts are refused, which its log says, until its project asks for them', async () => {
    const config = `export default { plugins: [{ name: 'out', configureServer(server) {
      server.middlewares.use('/out', async (_request, answer) => {
        try { answer.end(await (await fetch('http://127.0.0.2:${port}/')).text()) }
        catch (error) { answer.end('refused: ' + error.cause) }
      }) } }] }`
    await live('reaches', { 'vite.config.js': config })
    const { lines, stop } = sessionLines('reaches')
    expect(await get('reaches', '/out')).toContain('refused')
    const refused = `previewd refused 127.0.0.2:${port}: Requests to other hosts are off for this project.`
    await expect.poll(() => lines, { timeout: WAIT_MS }).toContain(refused)
    stop()
    const before = under.sessions.address('reaches')?.socket
    under.pipeline.putProject('reaches', { egress: 'public', env: { VITE_NAME: 'given' } })
    const after = () => under.sessions.address('reaches')?.socket
    await expect.poll(after, { timeout: WAIT_MS }).toSatisfy((socket) => socket && socket !== before)
    expect(await get('reaches', '/out')).toBe('from outside')
    await under.pipeline.stopSession('reaches')
  })
})

describe('the server of a build', () => {
  it('ends with the settings that it runs with, and with its project', async () => {
    const ofBuilt = () => stopped.filter((project) => project === 'built')
    under.pipeline.putProject('built', { env: { VITE_A: '1' } })
    under.pipeline.putProject('built', { name: 'another name' })
    expect(ofBuilt()).toEqual([])
    under.pipeline.putProject('built', { env: { VITE_A: '2' } })
    under.pipeline.putProject('built', { egress: 'public' })
    await under.pipeline.deleteProject('built')
    expect(ofBuilt()).toHaveLength(3)
  })
})
