import { afterAll, beforeAll, expect, it } from 'vitest'
import { planDev } from '../../src/build/dev-plan.ts'
import { resolveConfig } from '../../src/config.ts'
import type { SessionState } from '../../src/model/session.ts'
import { batchOf, openPipeline, type PipelineUnderTest } from '../pipeline/pipeline-under-test.ts'
import { askDevServer } from './dev-server.ts'

const STATE_TIMEOUT_MS = 60_000
const APP = {
  'package.json': '{"type":"module","devDependencies":{"vite":"^8.0.0"}}',
  'index.html': '<script type="module" src="/main.js"></script>',
  'main.js': 'console.log(1)',
}
const NAMED = `export default { plugins: [{ name: 'named', transform: (code, id) =>
  id.endsWith('/main.js') ? code + 'console.log("named")' : undefined }] }`

let under: PipelineUnderTest
/** What a start waits for, once it has taken the files that it starts with. */
let held: Promise<void> | undefined
/** Where packages come from cannot be reached. */
let isCutOff = false

beforeAll(async () => {
  const config = resolveConfig({})
  under = await openPipeline({
    build: { quietMs: 600_000 },
    sessions: {
      plan: async (snapshot, settings) => {
        await held
        return planDev(snapshot, settings, config)
      },
    },
  })
  const { environments } = under.parts
  const prepare = environments.prepare.bind(environments)
  environments.prepare = async (...args) => {
    if (!isCutOff) return prepare(...args)
    return {
      ok: false,
      diagnostics: [{ origin: 'install', severity: 'error', code: 'X', message: 'Cut off.' }],
    }
  }
})
afterAll(async () => {
  expect(under.errors).toEqual([])
  await under[Symbol.asyncDispose]()
})

async function edit(project: string, files: Record<string, string>, deleted: string[] = []): Promise<number> {
  const { revision } = await under.store.files.apply(project, { ...batchOf(files), deleted })
  return revision
}

function until(project: string, state: SessionState, more: object = {}): Promise<void> {
  return expect
    .poll(() => under.sessions.view(project), { timeout: STATE_TIMEOUT_MS })
    .toMatchObject({ state, ...more })
}

async function start(project: string, files: Record<string, string>): Promise<void> {
  under.store.projects.put(project, {})
  await edit(project, files)
  under.sessions.ensure(project)
}

it.each([
  [
    'packages',
    { 'package.json': '{"dependencies":{"vite":"^8.0.0","not-there-in-any-registry-1":"1.0.0"}}' },
  ],
  ['nothing', { 'package.json': '{"dependencies":{' }],
  ['config', { 'vite.config.js': 'throw new Error("not today")' }],
])(
  'a session that cannot start with its files does with those that came meanwhile: %s',
  async (name, files) => {
    const gate = Promise.withResolvers<void>()
    held = gate.promise
    await start(name, { ...APP, ...files })
    const update = under.sessions.apply(name)
    const revision = await edit(name, { ...APP, 'vite.config.js': NAMED })
    held = undefined
    gate.resolve()
    await until(name, 'live', { revision })
    await update
    await under.sessions.stop(name, '')
  },
)

it('a session that ended because nothing could be served comes back with files that can be', async () => {
  await start('back', { ...APP, 'package.json': '{' })
  await until('back', 'off')
  await edit('back', { 'main.js': '' })
  expect(await under.sessions.apply('back')).toBeUndefined()
  expect(under.sessions.view('back').state).toBe('off')
  const revision = await edit('back', APP)
  expect(await under.sessions.apply('back')).toMatchObject({ revision })
  await edit('back', { 'package.json': '{' })
  await under.sessions.apply('back')
  await until('back', 'off')
  await under.sessions.stop('back', 'Enough.')
  await edit('back', APP)
  expect(await under.sessions.apply('back')).toBeUndefined()
  expect(under.sessions.view('back').state).toBe('off')
})

it('a session without its packages starts when a build could get them, one without its server does not', async () => {
  isCutOff = true
  await start('cut', APP)
  await until('cut', 'error', { reason: 'Cut off.' })
  isCutOff = false
  await start('broken', { ...APP, 'vite.config.js': 'throw new Error("not today")' })
  await until('broken', 'error')
  for (const project of ['cut', 'broken']) under.events.publish('build', project, { state: 'succeeded' })
  await until('cut', 'live')
  expect(under.sessions.view('broken').state).toBe('error')
  await under.sessions.stop('cut', '')
  await under.sessions.stop('broken', '')
})

it('a dev server whose worker does not take a file is started again with it', async () => {
  const locks = `import { chmodSync } from 'node:fs'
    export default { plugins: [{ name: 'locks', configureServer: () => chmodSync('locked', 0o555) }] }`
  await start('locks', { ...APP, 'vite.config.js': locks, 'locked/a.txt': '' })
  await until('locks', 'live')
  const revision = await edit('locks', { 'locked/b.txt': 'b' })
  await under.sessions.apply('locks')
  await until('locks', 'live', { revision, restarts: 1 })
  await under.sessions.stop('locks', '')
})

it('a first configuration that cannot be loaded is taken as soon as it can, and keeps no edit back', async () => {
  await start('configured', APP)
  await until('configured', 'live')
  const main = async () =>
    (await askDevServer(under.sessions.address('configured')?.socket ?? '', '/main.js')).text
  await main()
  await edit('configured', { 'vite.config.js': 'import "./gone.js"', 'main.js': 'console.log(2);' })
  expect(await under.sessions.apply('configured')).toMatchObject({ kind: 'reload' })
  expect(await main()).toContain('console.log(2')
  await edit('configured', { 'vite.config.js': `import './here.js'\n${NAMED}` })
  expect(await under.sessions.apply('configured')).not.toMatchObject({ kind: 'restart' })
  await edit('configured', { 'here.js': '' })
  expect(await under.sessions.apply('configured')).toMatchObject({ kind: 'restart' })
  expect(await main()).toContain('"named"')
  await under.sessions.stop('configured', '')
})

it('a module that is gone keeps no batch back once nothing imports it any more', async () => {
  const main = (from: string) => `import { a } from '${from}'\nimport.meta.hot.accept('${from}', () => a)\n`
  await start('renamed', { ...APP, 'main.js': main('/old.js'), 'old.js': 'export const a = 1' })
  await until('renamed', 'live')
  const socket = under.sessions.address('renamed')?.socket ?? ''
  for (const path of ['/main.js', '/old.js']) await askDevServer(socket, path)
  await edit('renamed', {}, ['old.js'])
  expect(await under.sessions.apply('renamed')).toMatchObject({ kind: 'none', errors: [{}] })
  await edit('renamed', { 'main.js': main('/new.js'), 'new.js': 'export const a = 1' })
  expect(await under.sessions.apply('renamed')).toMatchObject({ kind: 'reload', errors: [] })
  await under.sessions.stop('renamed', '')
})

it('what an edit changed is compiled once, and not again for the page, by an old Vite as well', async () => {
  const counts = `let count = 0
export default { plugins: [{ name: 'counts', transform: (code, id) =>
  id.endsWith('/main.js') ? code + '// time ' + ++count : undefined }] }`
  const main = (edit: number) => `import.meta.hot?.accept() // edit ${edit}\n`
  await start('counted', {
    ...APP,
    'package.json': '{"type":"module","devDependencies":{"vite":"^5.4.0"}}',
    'vite.config.js': counts,
    'main.js': main(0),
  })
  await until('counted', 'live')
  const socket = under.sessions.address('counted')?.socket ?? ''
  expect((await askDevServer(socket, '/main.js')).text).toContain('time 1')
  for (let time = 2; time < 12; time++) {
    await edit('counted', { 'main.js': main(time) })
    expect(await under.sessions.apply('counted')).toMatchObject({ kind: 'hmr', errors: [] })
    expect((await askDevServer(socket, '/main.js')).text).toContain(`edit ${time}\n// time ${time}`)
  }
  await under.sessions.stop('counted', '')
})
