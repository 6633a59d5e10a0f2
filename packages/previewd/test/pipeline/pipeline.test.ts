import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Build } from '../../src/model/build.ts'
import type { ProjectEvent } from '../../src/model/event.ts'
import { batchOf, fixture, openPipeline, type PipelineUnderTest } from './pipeline-under-test.ts'

let under: PipelineUnderTest
let app: Record<string, Buffer>

beforeAll(async () => {
  under = await openPipeline({ build: { kept: 2 } })
  app = await fixture('broken/base')
})

afterAll(async () => {
  expect(under.errors).toEqual([])
  await under.close()
  await rm(under.dataDir, { recursive: true, force: true })
})

const ENDLESS = { 'build.sh': 'echo started; sleep 1000' }
const QUICK = { 'build.sh': 'mkdir dist && cp page.html dist/index.html' }

/** A project whose build is what its build.sh says. */
function putScripted(id: string, to = under) {
  to.pipeline.putProject(id, { buildCommand: 'sh build.sh' })
}

const builds = (id: string, of = under): Build[] => of.store.builds.list(id, { limit: 100 }).items

/** Resolves once the build of a project has said something, which it does inside its worker. */
async function started(id: string, of = under): Promise<string> {
  await of.pipeline.waitFor(id, 1, 'applied', 1000)
  await expect.poll(() => of.pipeline.status(id).state, { timeout: 20_000 }).toBe('building')
  const { buildId, lines } = await of.pipeline.log(id, { follow: true })
  for await (const { text } of lines) if (text === 'started') return buildId
  throw new Error('the build ended')
}

describe('a push', () => {
  it('publishes plain HTML, without dotfiles and package files', async () => {
    const files = {
      'index.html': '<p>hi',
      'a/b.css': 'p{}',
      '.env': 'SECRET=1',
      'a/.git-info': 'x',
      'yarn.lock': '',
    }
    const status = await under.push('plain', files)
    expect(status).toMatchObject({ state: 'ready', revision: 1, published: { revision: 1 }, diagnostics: [] })
    const artifact = await under.artifacts.open('plain', status.published?.buildId ?? '')
    expect([...artifact.files.keys()]).toEqual(['a/b.css', 'index.html'])
  })

  it('publishes a Vite app of a sub-folder, and says that it chose the folder', async () => {
    const nested = Object.fromEntries(Object.entries(app).map(([path, content]) => [`web/${path}`, content]))
    const status = await under.push('nested', nested)
    expect(status).toMatchObject({
      state: 'ready',
      diagnostics: [{ code: 'ROOT_GUESSED', severity: 'warning' }],
    })
    expect(await under.published('nested', 'index.html')).toContain('/assets/index-')
  })

  it('publishes what a command wrote, and gives package managers that run scripts', async () => {
    const scripts = {
      build: 'npm run first -- --deep; yarn second && npx own-program',
      first: 'npm run inner --',
      inner: 'echo inner > inner.txt && echo',
      presecond: 'mkdir out',
      second: 'cat inner.txt > out/index.html',
    }
    const status = await under.push('command', {
      'package.json': JSON.stringify({ scripts }),
      'own-program.js': '',
      'public/robots.txt': '',
    })
    expect(status.diagnostics[0]).toMatchObject({ frame: expect.stringContaining('own-program') })
    scripts.build = scripts.build.replace(' && npx own-program', '')
    await under.push('command', { 'package.json': JSON.stringify({ scripts }) })
    expect(await under.published('command', 'index.html')).toBe('inner\n')
  })

  it('lets VITE_ variables reach the page, and no others', async () => {
    const env = { VITE_TITLE: 'from-the-settings', OTHER: 'not-for-the-page' }
    under.pipeline.putProject('env', { env })
    const main =
      'document.title = import.meta.env.VITE_TITLE + import.meta.env.OTHER + JSON.stringify(import.meta.env)\n'
    const config = 'console.log("read", process.env.VITE_TITLE); export default {}'
    const status = await under.push('env', { ...app, 'src/main.tsx': main, 'vite.config.ts': config })
    const artifact = await under.artifacts.open('env', status.published?.buildId ?? '')
    const script = [...artifact.files.keys()].find((path) => path.endsWith('.js')) ?? ''
    const text = (await artifact.read(script)).toString()
    expect(text).toContain('from-the-settings')
    expect(text).not.toContain('not-for-the-page')
    const { lines } = await under.pipeline.log('env', {})
    const log: string[] = []
    for await (const { text } of lines) log.push(text)
    expect(log).toContain('read [redacted]')
  })

  it('without a change makes no revision and starts no build', async () => {
    await under.push('same', { 'index.html': 'x' })
    await under.push('same', { 'index.html': 'x' })
    expect(builds('same')).toHaveLength(1)
  })

  it('of no files creates the project, and nothing else', async () => {
    const applied = await under.pipeline.applyChanges('bare', { files: [], deleted: [] })
    expect(applied).toMatchObject({ revision: 0, changed: [] })
    expect(under.pipeline.status('bare')).toMatchObject({ state: 'empty', revision: 0, build: null })
  })

  it('tells of its revision, of each state of its build, and of the status', async () => {
    const events: ProjectEvent[] = []
    const end = under.events.listen((event) => event.project === 'told' && events.push(event))
    await under.push('told', { 'index.html': 'x' })
    end()
    const states = events.flatMap(({ type, data }) => (type === 'build' ? [(data as Build).state] : []))
    expect(states.slice(0, 3)).toEqual(['queued', 'building', 'succeeded'])
    expect(events[0]).toMatchObject({
      type: 'revision',
      data: { revision: 1, changed: [{ path: 'index.html' }] },
    })
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['status', 'diagnostic', 'log']))
  })

  it('leaves the log and the state where shell tools find them', async () => {
    await under.push('shell', { 'index.html': 'x' })
    const folder = join(under.dataDir, 'projects/shell')
    await expect.poll(() => readFile(join(folder, '.build-status'), 'utf8')).toBe('ready\n')
    await expect.poll(() => existsSync(join(folder, 'build.log'))).toBe(true)
    expect(await readFile(join(folder, 'build.log'), 'utf8')).toMatch(/Build succeeded in \d+ ms/)
  })
})

it('takes no output from outside of the project, and no dotfiles from inside', async () => {
  under.pipeline.putProject('outside', { buildCommand: 'true', outputDir: '../etc' })
  const refused = await under.push('outside', {
    'index.html': 'page',
    '.env': 'SECRET=1',
    'package.json': '{}',
  })
  expect(refused).toMatchObject({ state: 'error', diagnostics: [{ code: 'OUTPUT_MISSING' }] })
  under.pipeline.putProject('outside', { outputDir: '.' })
  await expect.poll(() => under.pipeline.status('outside').state, { timeout: 20_000 }).toBe('ready')
  const artifact = await under.artifacts.open(
    'outside',
    under.pipeline.status('outside').published?.buildId ?? '',
  )
  expect([...artifact.files.keys()]).toEqual(['index.html'])
})

describe('many pushes', () => {
  it('a hundred during a build cost one more build, of the last', async () => {
    putScripted('burst')
    await under.pipeline.applyChanges('burst', batchOf({ ...ENDLESS, 'page.html': '0' }))
    const first = await started('burst')
    for (let page = 1; page <= 100; page++) {
      await under.pipeline.applyChanges('burst', batchOf({ ...QUICK, 'page.html': String(page) }))
    }
    await under.pipeline.cancelBuild('burst', first)
    expect(await under.pipeline.waitFor('burst', 101, 'built', 60_000)).toBe(true)
    expect(builds('burst').map(({ state, revision }) => [state, revision])).toEqual([
      ['succeeded', 101],
      ['canceled', 1],
    ])
    expect(await under.published('burst', 'index.html')).toBe('100')
  })

  it('are refused before they are applied when the queue is full', async () => {
    await using small = await openPipeline({ build: { queue: 1, concurrency: 1 } })
    for (const id of ['q1', 'q2', 'q3']) putScripted(id, small)
    await small.pipeline.applyChanges('q1', batchOf(ENDLESS))
    await started('q1', small)
    await small.pipeline.applyChanges('q2', batchOf(ENDLESS))
    await expect(small.pipeline.applyChanges('q3', batchOf(ENDLESS))).rejects.toMatchObject({
      code: 'QUEUE_FULL',
    })
    expect(small.store.projects.get('q3')?.revision).toBe(0)
    expect(small.pipeline.status('q2')).toMatchObject({ state: 'queued' })
  })
})

describe('waiting', () => {
  it('ends without success when the time is over or the caller is gone', async () => {
    putScripted('slow')
    await under.pipeline.applyChanges('slow', batchOf(ENDLESS))
    const buildId = await started('slow')
    expect(await under.pipeline.waitFor('slow', 1, 'applied', 1)).toBe(true)
    expect(await under.pipeline.waitFor('slow', 1, 'painted', 1)).toBe(true)
    expect(await under.pipeline.waitFor('slow', 1, 'built', 50)).toBe(false)
    expect(await under.pipeline.waitFor('slow', 1, 'built', 60_000, AbortSignal.abort())).toBe(false)
    await under.pipeline.cancelBuild('slow', buildId)
    expect(await under.pipeline.waitFor('slow', 1, 'built', 10_000)).toBe(true)
  })

  it('is refused for a project that does not exist', async () => {
    await expect(under.pipeline.waitFor('nobody', 1, 'built', 10)).rejects.toMatchObject({
      code: 'PROJECT_NOT_FOUND',
    })
  })
})

describe('requestBuild', () => {
  it('answers with the build that is there, and builds anew with force', async () => {
    const status = await under.push('again', { 'index.html': 'x' })
    const same = await under.pipeline.requestBuild('again', {})
    expect(same.id).toBe(status.build?.id)
    const forced = await under.pipeline.requestBuild('again', { force: true })
    expect(forced.id).not.toBe(same.id)
    await expect.poll(() => under.pipeline.status('again').published?.buildId).toBe(forced.id)
  })

  it('waits for the build that was asked for, also where the revision has one already', async () => {
    await under.push('anew', { 'index.html': 'x' })
    const { id, revision } = await under.pipeline.requestBuild('anew', { force: true })
    expect(await under.pipeline.waitFor('anew', revision, 'built', 20_000)).toBe(true)
    expect(under.store.builds.get('anew', id)).toMatchObject({ state: 'succeeded' })
  })

  it('joins the build that is under way for the revision', async () => {
    putScripted('join')
    await under.pipeline.applyChanges('join', batchOf(ENDLESS))
    const running = await started('join')
    expect((await under.pipeline.requestBuild('join', {})).id).toBe(running)
    expect((await under.pipeline.requestBuild('join', { force: true })).id).toBe(running)
    await under.pipeline.deleteProject('join')
  })

  it('reports a project without files as a failed build', async () => {
    under.pipeline.putProject('nothing', {})
    await under.pipeline.requestBuild('nothing', {})
    await expect.poll(() => under.pipeline.status('nothing').state).toBe('error')
    expect(under.pipeline.status('nothing').diagnostics[0]).toMatchObject({ code: 'INDEX_HTML_MISSING' })
  })
})

it('builds again when a setting that decides the build changes', async () => {
  await under.push('settings', { 'index.html': 'top', 'docs/index.html': 'docs' })
  expect(await under.published('settings', 'index.html')).toBe('top')
  under.pipeline.putProject('settings', { root: 'docs' })
  await expect.poll(() => under.published('settings', 'index.html')).toBe('docs')
  under.pipeline.putProject('settings', { name: 'no matter' })
  expect(builds('settings')).toHaveLength(2)
})

it('publishes an earlier build when told to, until a newer revision is built', async () => {
  const one = await under.push('back', { 'index.html': 'one' })
  await under.push('back', { 'index.html': 'two' })
  await under.pipeline.publish('back', one.published?.buildId ?? '')
  expect(await under.published('back', 'index.html')).toBe('one')
  await under.push('back', { 'index.html': 'three' })
  expect(await under.published('back', 'index.html')).toBe('three')
})

it('does not publish a build that failed or is not there', async () => {
  const failed = await under.push('bad', { 'readme.txt': '' })
  await expect(under.pipeline.publish('bad', failed.build?.id ?? '')).rejects.toMatchObject({
    code: 'BUILD_NOT_PUBLISHABLE',
  })
  await expect(under.pipeline.publish('bad', 'aaaaaaaaaaaa')).rejects.toMatchObject({
    code: 'BUILD_NOT_FOUND',
  })
})

it('keeps a bounded number of builds, any of which can be published', async () => {
  const first = await under.push('kept', { 'index.html': '0' })
  for (let page = 1; page <= 10; page++) await under.push('kept', { 'index.html': String(page) })
  // The newest two, and as many of the last day as make it eight.
  await expect.poll(() => builds('kept').length).toBe(8)
  expect(under.store.builds.get('kept', first.build?.id ?? '')).toBeUndefined()
  const oldest = builds('kept').at(-1)?.id ?? ''
  await under.pipeline.publish('kept', oldest)
  expect(await under.published('kept', 'index.html')).toBe('3')
  for (let page = 11; page <= 14; page++) await under.push('kept', { 'index.html': String(page) })
  await expect.poll(() => builds('kept').length).toBe(8)
  expect(await under.published('kept', 'index.html')).toBe('14')
  await expect(under.artifacts.open('kept', oldest)).rejects.toMatchObject({ code: 'BUILD_NOT_FOUND' })
})

it('deletes a project whose build runs, and all of it', async () => {
  putScripted('gone')
  await under.pipeline.applyChanges('gone', batchOf(ENDLESS))
  await started('gone')
  await under.pipeline.deleteProject('gone')
  expect(() => under.pipeline.status('gone')).toThrow(expect.objectContaining({ code: 'PROJECT_NOT_FOUND' }))
  expect(builds('gone')).toEqual([])
  await expect.poll(() => existsSync(join(under.dataDir, 'projects/gone'))).toBe(false)
  expect(await under.push('gone', { 'index.html': 'anew' })).toMatchObject({ state: 'ready' })
})

it('makes the variant for path mode right after the publish', async () => {
  await using sandboxed = await openPipeline({ config: { pathMode: 'sandboxed' } })
  const status = await sandboxed.push('paths', app, 'checked')
  const buildId = status.published?.buildId ?? ''
  const variant = await sandboxed.pipeline.variants.get('paths', buildId)
  if (typeof variant === 'string') throw new Error(variant)
  expect((await variant.read('index.html')).toString()).toContain('"/preview/paths/assets/')
  expect(await sandboxed.published('paths', 'index.html')).toContain('"/assets/')
  await sandboxed.push('site', { 'index.html': 'plain' }, 'checked')
  const plain = await sandboxed.pipeline.variants.get(
    'site',
    sandboxed.pipeline.status('site').published?.buildId ?? '',
  )
  expect(plain).toMatchObject({ project: 'site' })
  expect(await sandboxed.pipeline.variants.get('nobody', 'aaaaaaaaaaaa')).toBe('failed')
})

it('builds anew for path mode what was built before it was set', async () => {
  const before = await openPipeline()
  const first = await before.push('later', app)
  await before.close()
  await using after = await openPipeline({ dataDir: before.dataDir, config: { pathMode: 'sandboxed' } })
  expect(await after.pipeline.variants.get('later', first.published?.buildId ?? '')).toBe('building')
  expect(await after.pipeline.variants.get('later', first.published?.buildId ?? '')).toBe('building')
  const published = () => after.pipeline.status('later').published?.buildId ?? ''
  await expect.poll(published, { timeout: 60_000 }).not.toBe(first.published?.buildId)
  await after.pipeline.waitFor('later', 1, 'checked', 60_000)
  // As of a request that came in just before the publish.
  expect(await after.pipeline.variants.get('later', first.published?.buildId ?? '')).toBe('building')
  const variant = await after.pipeline.variants.get('later', published())
  if (typeof variant === 'string') throw new Error(variant)
  expect((await variant.read('index.html')).toString()).toContain('"/preview/later/assets/')
})

it('takes up at the next start what a server that ended had not built', async () => {
  const before = await openPipeline()
  putScripted('resumed', before)
  await before.pipeline.applyChanges(
    'resumed',
    batchOf({ 'build.sh': `echo started; sleep 3; ${QUICK['build.sh']}`, 'page.html': 'x' }),
  )
  const buildId = await started('resumed', before)
  await before.close()
  await using after = await openPipeline({ dataDir: before.dataDir })
  expect(after.store.builds.get('resumed', buildId)?.state).toBe('building')
  await after.pipeline.resume()
  expect(await after.pipeline.waitFor('resumed', 1, 'built', 60_000)).toBe(true)
  expect(after.pipeline.status('resumed')).toMatchObject({
    state: 'ready',
    published: { buildId, revision: 1 },
  })
})
