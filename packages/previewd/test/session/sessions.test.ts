import { hash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ComingRevision } from '../../src/model/files.ts'
import type { SessionState, SessionView } from '../../src/model/session.ts'
import { createViewers } from '../../src/serve/viewers.ts'
import { batchOf, openPipeline, type PipelineUnderTest } from '../pipeline/pipeline-under-test.ts'
import { askDevServer } from './dev-server.ts'

let under: PipelineUnderTest
let nowMs = Date.now()
let leftBytes = Infinity
const viewers = createViewers()
let running = 0
let most = 0

const MAX = 2
const IDLE_MS = 60_000
const STATE_TIMEOUT_MS = 100_000
const APP = {
  'package.json': '{"type":"module","devDependencies":{"vite":"^8.0.0"}}',
  'index.html': '<script type="module" src="/main.js"></script>',
  'main.js': 'import { a } from "./a.js"; console.log(a); import.meta.hot?.accept()',
  'a.js': 'export const a = "first"',
}

beforeAll(async () => {
  under = await openPipeline({
    sessions: { max: MAX, idleMs: IDLE_MS, now: () => nowMs, leftBytes: () => leftBytes, viewers },
    observe: (workers) => ({
      status: () => workers.status(),
      memoryBytes: () => workers.memoryBytes(),
      pool: () => workers.pool(),
      close: () => workers.close(),
      start: async (spec) => {
        const worker = await workers.start(spec)
        const isOfSession = spec.listen !== undefined && spec.ahead !== undefined
        if (!isOfSession) return worker
        most = Math.max(most, ++running)
        const stop = worker.stop.bind(worker)
        let isCounted = true
        worker.stop = async () => {
          await stop()
          if (isCounted) running--
          isCounted = false
        }
        return worker
      },
    }),
  })
})
afterAll(async () => {
  expect(under.errors).toEqual([])
  await under[Symbol.asyncDispose]()
})

/** Applies files without the builds of the pipeline. */
async function edit(project: string, files: Record<string, string>, deleted: string[] = []): Promise<number> {
  const { revision } = await under.store.files.apply(project, { ...batchOf(files), deleted })
  return revision
}

function coming(revision: number, files: Record<string, string>, durable: Promise<void>): ComingRevision {
  const entries = Object.entries(files).map(([path, text]) => {
    const content = Buffer.from(text)
    return { path, size: content.length, sha256: hash('sha256', content), content }
  })
  return {
    revision,
    changed: entries.map(({ path }) => ({ path, kind: 'modified' })),
    files: entries,
    durable,
  }
}

async function until(project: string, ...states: SessionState[]): Promise<SessionView> {
  await expect
    .poll(() => under.sessions.view(project).state, { timeout: STATE_TIMEOUT_MS, interval: 50 })
    .toSatisfy((state: SessionState) => states.includes(state) || state === 'error')
  const view = under.sessions.view(project)
  if (!states.includes(view.state)) throw new Error(JSON.stringify(view))
  return view
}

async function live(project: string, files: Record<string, string> = {}): Promise<SessionView> {
  under.store.projects.put(project, {})
  await edit(project, { ...APP, ...files })
  under.sessions.ensure(project)
  return await until(project, 'live')
}

function get(project: string, path: string): Promise<{ status: number; text: string }> {
  return askDevServer(under.sessions.address(project)?.socket ?? '', path)
}

describe('a session', () => {
  it('serves the modules of the newest revision, and each further one', async () => {
    const view = await live('edits')
    expect(view).toMatchObject({ state: 'live', revision: 1, restarts: 0, startMs: expect.any(Number) })
    expect((await get('edits', '/a.js')).text).toContain('first')
    await get('edits', '/main.js')
    const revision = await edit('edits', { 'a.js': 'export const a = "second"' })
    const update = await under.sessions.apply('edits')
    expect(update).toEqual({ revision, kind: 'hmr', errors: [] })
    expect((await get('edits', '/a.js')).text).toContain('second')
    expect(under.sessions.view('edits')).toMatchObject({ state: 'live', revision })
    // Nothing of this is left when it is brought in.
    await edit('edits', { 'a.js': 'export const a = "third"' })
    const reverted = await edit('edits', { 'a.js': 'export const a = "second"' })
    expect(await under.sessions.apply('edits')).toEqual({ revision: reverted, kind: 'none', errors: [] })
    await under.sessions.stop('edits', 'Done.')
    expect(under.sessions.view('edits')).toMatchObject({ state: 'off', reason: 'Done.' })
    expect(under.sessions.address('edits')).toBeUndefined()
  })
  it('shows an edit while it is written, and takes it back where it does not become a revision', async () => {
    await live('ahead')
    // A module that no page has asked for yet needs no update.
    await get('ahead', '/a.js')
    await get('ahead', '/main.js')
    const { promise: durable, resolve: write } = Promise.withResolvers<void>()
    const edited = { 'a.js': 'export const a = "seen early"' }
    under.sessions.foresee('ahead', coming(2, edited, durable))
    await expect.poll(async () => (await get('ahead', '/a.js')).text).toContain('seen early')
    expect(under.sessions.view('ahead').revision).toBe(1)
    write()
    await edit('ahead', edited)
    expect(await under.sessions.apply('ahead')).toEqual({ revision: 2, kind: 'hmr', errors: [] })
    expect(under.sessions.view('ahead').revision).toBe(2)

    const never = Promise.withResolvers<void>()
    under.sessions.foresee('ahead', coming(3, { 'a.js': 'export const a = "lost"' }, never.promise))
    await expect.poll(async () => (await get('ahead', '/a.js')).text).toContain('lost')
    never.reject(new Error('the disk is full'))
    await expect.poll(async () => (await get('ahead', '/a.js')).text).toContain('seen early')
    expect(under.sessions.view('ahead').revision).toBe(2)
    await under.sessions.stop('ahead', '')
  })

  it('leaves to its revision what may ask for another worker, or is not the next one', async () => {
    await live('patient')
    const config = { 'package.json': APP['package.json'].replace('"module"', '"module", "name": "x"') }
    under.sessions.foresee('patient', coming(2, config, Promise.resolve()))
    under.sessions.foresee('patient', coming(3, { 'a.js': 'export const a = "skipped"' }, Promise.resolve()))
    const revision = await edit('patient', { 'a.js': 'export const a = "second"' })
    expect(await under.sessions.apply('patient')).toMatchObject({ revision })
    expect((await get('patient', '/a.js')).text).toContain('second')
    await under.sessions.stop('patient', '')
  })

  it('takes away what was deleted, and puts a file where a folder was', async () => {
    await live('deletes', { 'public/old.txt': 'old', 'public/b/c.txt': 'c' })
    expect((await get('deletes', '/old.txt')).text).toBe('old')
    await edit('deletes', { 'public/b': 'file' }, ['public/old.txt', 'public/b/c.txt'])
    await under.sessions.apply('deletes')
    expect((await get('deletes', '/old.txt')).text).not.toBe('old')
    expect((await get('deletes', '/b')).text).toBe('file')
    await under.sessions.stop('deletes', '')
  })

  it('has the newest revision when it becomes live, whatever came while it started', async () => {
    under.store.projects.put('early', {})
    await edit('early', APP)
    expect(under.sessions.ensure('early')).toMatchObject({ state: 'starting' })
    const revision = await edit('early', { 'a.js': 'export const a = "late"' })
    expect(await under.sessions.apply('early')).toMatchObject({ revision })
    expect((await get('early', '/a.js')).text).toContain('late')
    await under.sessions.stop('early', '')
  })

  it('is started again after a crash, and not for ever', async () => {
    const config = `export default { plugins: [{ name: 'crash', configureServer(server) {
      server.middlewares.use('/crash', () => process.exit(3)) } }] }`
    await live('crashes', { 'vite.config.js': config })
    const said: string[] = []
    const stopListening = under.events.listen(({ type, project, data }) => {
      const { lines = [] } = data as { lines?: { text: string }[] }
      if (type === 'log' && project === 'crashes') said.push(...lines.map(({ text }) => text))
    })
    for (let restarts = 1; restarts <= 3; restarts++) {
      await get('crashes', '/crash').catch(() => undefined)
      await expect
        .poll(() => under.sessions.view('crashes'), { timeout: STATE_TIMEOUT_MS })
        .toMatchObject({ state: 'live', restarts })
    }
    await get('crashes', '/crash').catch(() => undefined)
    await expect.poll(() => under.sessions.view('crashes').state, { timeout: STATE_TIMEOUT_MS }).toBe('error')
    expect(under.sessions.view('crashes').reason).toContain('exit code 3')
    const lost = 'previewd lost the server. The server ended with exit code 3.'
    const expected = [
      ...Array(3).fill(`${lost} It is started again.`),
      `${lost} It is left alone, as it ended too often.`,
    ]
    await expect.poll(() => said.filter((line) => line.startsWith('previewd'))).toEqual(expected)
    stopListening()
    expect(under.sessions.ensure('crashes').state).toBe('error')
    // Other files may behave.
    const revision = await edit('crashes', { 'vite.config.js': 'export default {}' })
    expect(await under.sessions.apply('crashes')).toMatchObject({ revision })
    expect(under.sessions.view('crashes').state).toBe('live')
    await under.sessions.stop('crashes', '')
  })

  it('says why it could not start, and starts with the files that mend it', async () => {
    under.store.projects.put('broken', {})
    await edit('broken', { ...APP, 'vite.config.js': 'throw new Error("not today")' })
    under.sessions.ensure('broken')
    await until('broken', 'error')
    expect(under.sessions.view('broken').reason).toContain('not today')
    const revision = await edit('broken', {}, ['vite.config.js'])
    expect(await under.sessions.apply('broken')).toMatchObject({ revision })
    await under.sessions.stop('broken', '')
  })

  it('has pages loaded anew that were there, or on their way, when Vite restarted in place', async () => {
    await live('restarts')
    const before = under.sessions.address('restarts')
    const revision = await edit('restarts', { 'vite.config.js': 'export default {}' })
    expect(await under.sessions.apply('restarts')).toMatchObject({ revision, kind: 'restart' })
    expect(under.sessions.address('restarts')?.socket).toBe(before?.socket)
    expect(under.sessions.address('restarts')?.generation).not.toBe(before?.generation)
    await under.sessions.stop('restarts', '')
  })

  it('moves to another worker where the dependencies change, and keeps what it has where they cannot be had', async () => {
    await live('moves')
    const before = under.sessions.address('moves')?.socket
    const missing =
      '{"type":"module","devDependencies":{"vite":"^8.0.0","not-there-in-any-registry-1":"1.0.0"}}'
    const failed = await edit('moves', { 'package.json': missing })
    expect(await under.sessions.apply('moves')).toMatchObject({ revision: failed })
    await under.sessions.apply('moves', { installed: true })
    expect(under.sessions.address('moves')?.socket).toBe(before)
    const manifest = '{"type":"module","devDependencies":{"vite":"^8.0.0"},"dependencies":{"ms":"2.1.3"}}'
    const main = 'import ms from "ms"; console.log(ms(60000)); import.meta.hot?.accept()'
    const revision = await edit('moves', { 'package.json': manifest, 'main.js': main })
    expect(await under.sessions.apply('moves')).toEqual({ revision, kind: 'restart', errors: [] })
    expect(under.sessions.address('moves')?.socket).not.toBe(before)
    const [, dependency = ''] =
      /"([^"]*\/deps\/ms\.js[^"]*)"/.exec((await get('moves', '/main.js')).text) ?? []
    // Without its map, which would be most of it.
    expect((await get('moves', dependency)).text).toMatch(/export(?!.*sourceMappingURL)/s)
    await under.sessions.stop('moves', '')
  })

  it('needs a dev server: plain files have none', async () => {
    under.store.projects.put('plain', {})
    await edit('plain', { 'index.html': '<p>hi' })
    under.sessions.ensure('plain')
    expect(await until('plain', 'off')).toMatchObject({ reason: expect.stringContaining('Plain files') })
  })

  it('sleeps when nobody used it for long', async () => {
    await live('sleeps')
    nowMs += IDLE_MS - 1
    under.sessions.address('sleeps')
    nowMs += IDLE_MS - 1
    await under.sessions.sweep()
    expect(under.sessions.view('sleeps')).toMatchObject({ state: 'live', memoryBytes: expect.any(Number) })
    nowMs += 2
    await under.sessions.sweep()
    expect(under.sessions.view('sleeps')).toMatchObject({
      state: 'off',
      reason: expect.stringContaining('Asleep'),
    })
    under.sessions.wake('sleeps')
    await until('sleeps', 'live')
    await under.sessions.stop('sleeps', 'Enough.')
    // Who ended it wants it to be off.
    under.sessions.wake('sleeps')
    under.sessions.wake('never-there')
    expect(under.sessions.view('sleeps').state).toBe('off')
    expect(under.sessions.view('never-there').state).toBe('off')
  })

  it('can be stopped while it starts, and then leaves nothing', async () => {
    under.store.projects.put('stopped', {})
    await edit('stopped', APP)
    under.sessions.ensure('stopped')
    await under.sessions.stop('stopped', 'Enough.')
    expect(under.sessions.view('stopped')).toMatchObject({ state: 'off', reason: 'Enough.' })
    expect(running).toBe(0)
  })
})

describe('sessions that are short of memory', () => {
  const MIB = 1024 * 1024
  afterEach(async () => {
    leftBytes = Infinity
    await Promise.all(['wide', 'narrow'].map((name) => under.sessions.stop(name, '')))
  })

  it('wait for some, and one that nobody looks at makes room for them', async () => {
    await live('wide')
    await under.sessions.sweep()
    leftBytes = 300 * MIB
    under.store.projects.put('narrow', {})
    await edit('narrow', APP)
    under.sessions.ensure('narrow')
    await under.sessions.sweep()
    expect(under.sessions.view('narrow').state).toBe('starting')
    expect(under.sessions.view('wide').state).toBe('live')
    nowMs += 11_000
    await under.sessions.sweep()
    await until('wide', 'off')
    await until('narrow', 'live')
  })

  it('sleep where it runs out: first those that nobody looks at, at last any', async () => {
    const page = viewers.enter('wide')
    await live('wide')
    await live('narrow')
    nowMs += 11_000
    leftBytes = 200 * MIB
    await under.sessions.sweep()
    expect(await until('narrow', 'off')).toMatchObject({
      reason: expect.stringContaining('short of memory'),
    })
    await under.sessions.sweep()
    expect(under.sessions.view('wide').state).toBe('live')
    leftBytes = 100 * MIB
    await under.sessions.sweep()
    await until('wide', 'off')
    page?.leave()
  })
})

describe('many sessions', () => {
  it('have no more workers than there are places; those used longest ago sleep first', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `many-${index}`)
    for (const name of names) {
      under.store.projects.put(name, {})
      await edit(name, APP)
    }
    most = running
    for (const name of names) under.sessions.ensure(name)
    expect(under.sessions.counts()).toEqual({ starting: 30, live: 0, error: 0 })
    await until('many-0', 'live')
    await until('many-1', 'live')
    expect(under.sessions.view('many-2').state).toBe('starting')
    nowMs += 11_000
    under.sessions.address('many-1')
    await under.sessions.sweep()
    await until('many-2', 'live')
    expect(under.sessions.view('many-0')).toMatchObject({ state: 'off' })
    expect(under.sessions.view('many-1')).toMatchObject({ state: 'live' })
    nowMs += 121_000
    await under.sessions.sweep()
    await under.sessions.sweep()
    expect(under.sessions.view('many-29')).toMatchObject({ reason: expect.stringContaining('no room') })
    expect(most).toBe(MAX)
    await Promise.all(names.map((name) => under.sessions.stop(name, '')))
    expect(under.sessions.counts()).toEqual({ starting: 0, live: 0, error: 0 })
  })

  it('are refused where too many wait', async () => {
    const names = Array.from({ length: 103 }, (_, index) => `queued-${index}`)
    const refused = names.filter((name) => {
      try {
        under.sessions.ensure(name)
        return false
      } catch (error) {
        expect(error).toMatchObject({ code: 'QUEUE_FULL' })
        return true
      }
    })
    expect(refused).toEqual(['queued-102'])
    await Promise.all(names.map((name) => under.sessions.stop(name, '')))
  })
})
