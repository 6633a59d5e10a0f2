import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { batchOf, openPipeline, type PipelineUnderTest } from '../pipeline/pipeline-under-test.ts'
import { askDevServer } from './dev-server.ts'

const STATE_TIMEOUT_MS = 90_000
const APP = {
  'package.json': '{"type":"module","devDependencies":{"vite":"^8.0.0"}}',
  'index.html': '<script type="module" src="/main.js"></script>',
  'main.js': 'console.log(1); import.meta.hot?.accept()',
  'other.js': 'export const other = 1',
}
const plugin = (code: string) => ({
  'vite.config.js': `export default { plugins: [{ name: 'hangs', ${code} }] }`,
})

let under: PipelineUnderTest
const viewOf = (project: string) => under.sessions.view(project)
const get = (project: string, path: string) =>
  askDevServer(under.sessions.address(project)?.socket ?? '', path)

async function live(project: string, files: Record<string, string>): Promise<void> {
  under.store.projects.put(project, {})
  await under.store.files.apply(project, batchOf({ ...APP, ...files }))
  under.sessions.ensure(project)
  await untilLive(project)
}

async function untilLive(project: string, revision = 1): Promise<void> {
  const isLive = () => viewOf(project).state === 'live' && viewOf(project).revision === revision
  await vi.waitUntil(isLive, { timeout: STATE_TIMEOUT_MS, interval: 50 })
}

/** The edit is not answered; the session is live again with it. */
async function revive(project: string, files: Record<string, string>): Promise<void> {
  const { revision } = await under.store.files.apply(project, batchOf(files))
  expect(await under.sessions.apply(project)).toBeUndefined()
  await untilLive(project, revision)
  expect(viewOf(project)).toMatchObject({ restarts: 1 })
}

describe.concurrent('a dev server is started again with the files of an edit', () => {
  beforeAll(async () => {
    under = await openPipeline({ sessions: { updateTimeoutMs: 10_000 } })
  })
  afterAll(async () => {
    expect(under.errors).toEqual([])
    await under[Symbol.asyncDispose]()
  })

  it('from which its plugin never comes back', async () => {
    const loop = `configureServer(server) { server.watcher.on('change', (file) => {
      if (file.endsWith('/loop.txt')) for (;;);
    }) }`
    await live('edit', { ...plugin(loop), 'loop.txt': '' })
    await revive('edit', { 'loop.txt': 'x' })
    const edit = { 'main.js': 'console.log(2); import.meta.hot?.accept()' }
    const { revision } = await under.store.files.apply('edit', batchOf(edit))
    expect(await under.sessions.apply('edit')).toMatchObject({ revision, errors: [] })
  })

  it('that takes the plugin out which keeps it busy without end since a page asked', async () => {
    await live('request', plugin(`transform(code, id) { if (id.endsWith('/other.js')) for (;;); }`))
    const asked = get('request', '/other.js').catch(() => undefined)
    await revive('request', plugin(''))
    await asked
    expect((await get('request', '/other.js')).text).toContain('other = 1')
  })

  it('that takes the plugin out for whose answer pages wait, and with them its restart in place', async () => {
    const never = `transform(code, id) { if (id.endsWith('/other.js')) return new Promise(() => undefined) }`
    await live('restart', plugin(never))
    const asked = get('restart', '/other.js').catch(() => undefined)
    expect((await get('restart', '/main.js')).text).toContain('console.log(1)')
    await revive('restart', plugin(''))
    await asked
    expect((await get('restart', '/other.js')).text).toContain('other = 1')
  })
})

describe.concurrent('a dev server that never comes to listen', () => {
  let short: PipelineUnderTest
  beforeAll(async () => {
    short = await openPipeline({ sessions: { startTimeoutMs: 4000 } })
  })
  afterAll(async () => {
    await vi.waitUntil(async () => (await short.parts.workers.memoryBytes()) === 0, STATE_TIMEOUT_MS)
    expect(short.errors).toEqual([])
    await short[Symbol.asyncDispose]()
  })

  it.for([
    ['waits', 'configureServer: () => new Promise(() => undefined)'],
    ['loops', 'configureServer() { for (;;); }'],
  ] as const)('because its plugin %s is ended, which its session says', async ([project, code]) => {
    const { store, sessions } = short
    store.projects.put(project, {})
    await store.files.apply(project, batchOf({ ...APP, ...plugin(code) }))
    sessions.ensure(project)
    await vi.waitUntil(() => sessions.view(project).state === 'error', STATE_TIMEOUT_MS)
    expect(sessions.view(project).reason).toBe('The server did not answer within 4 s.')
  })
})

it('a session can be stopped while its dev server never comes back from an edit', async () => {
  await using patient = await openPipeline({ sessions: { updateTimeoutMs: 2 ** 31 - 1 } })
  const { store, sessions } = patient
  store.projects.put('stopped', {})
  await store.files.apply('stopped', batchOf(APP))
  sessions.ensure('stopped')
  const state = () => sessions.view('stopped').state
  await expect.poll(state, { timeout: STATE_TIMEOUT_MS }).toBe('live')
  await store.files.apply('stopped', batchOf({ 'loop.txt': 'x' }))
  const update = sessions.apply('stopped')
  await sessions.stop('stopped', 'Enough.')
  expect(await update).toBeUndefined()
  expect(patient.errors).toEqual([])
})
