import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PageRequest } from '../../../src/model/session.ts'
import { SeenRequests } from '../../../src/serve/session/page-requests.ts'
import { batchOf, openPipeline, type PipelineUnderTest } from '../../pipeline/pipeline-under-test.ts'
import { askDevServer } from '../dev-server.ts'

const CONFIG = `import { readFileSync, writeFileSync } from 'node:fs'
const MADE_UP = /(?:__made-up|\\.made-up\\.css)$/
const notes = {
  name: 'notes',
  buildStart: () => writeFileSync(new URL('generated.js', import.meta.url), 'export const generated = 1'),
  resolveId: (id) => (id === 'virtual:made-up' ? '\\0virtual:made-up' : MADE_UP.test(id) ? id : undefined),
  load: (id) => (id === '\\0virtual:made-up' ? 'export const madeUp = 1' : MADE_UP.test(id) ? '' : undefined),
  transform(code, id) {
    if (!id.endsWith('.note')) return undefined
    const text = new URL('words.txt', import.meta.url).pathname
    this.addWatchFile(text)
    return 'export default ' + JSON.stringify(readFileSync(text, 'utf8'))
  },
}
export default { plugins: [notes] }
`
const APP = {
  'vite.config.js': CONFIG,
  'index.html': '<style>@import "./theme.css";</style><script type="module" src="/main.js"></script>',
  'theme.css': 'body { color: red }',
  'main.js':
    "import './top.js'\nimport { madeUp } from 'virtual:made-up'\nimport { generated } from './generated.js'\nimport text from './x.note'\nimport '/__made-up'\nimport '/app/main.js.made-up.css'\nconsole.log(madeUp, generated, text)\n",
  'top.js': "import './leaf.js'\n",
  'leaf.js': 'console.log("leaf")\n',
  'x.note': '',
  'words.txt': 'first words',
  'unused.js': '',
}
const MODULES = [
  '/main.js',
  '/top.js',
  '/leaf.js',
  '/x.note?import',
  '/generated.js',
  '/@id/__x00__virtual:made-up',
  '/__made-up',
  '/main.js.made-up.css',
]
const REQUESTS: PageRequest[] = [
  { url: '/', accept: 'page', isModule: false },
  ...MODULES.map((url) => ({ url, accept: 'any' as const, isModule: true })),
]

const requests = new SeenRequests()
let under: PipelineUnderTest
beforeAll(async () => {
  under = await openPipeline({ sessions: { requests } })
})
afterAll(async () => {
  expect(under.errors).toEqual([])
  await under[Symbol.asyncDispose]()
})

async function untilLive(project: string): Promise<string> {
  under.sessions.ensure(project)
  await expect.poll(() => under.sessions.view(project).state, { timeout: 100_000 }).toBe('live')
  return under.sessions.address(project)?.socket ?? ''
}

/** Puts a session with a page to sleep, changes files, and asks what is there when it is wanted again. */
async function recordedAfter(project: string, edit: Record<string, string>, deleted: string[] = []) {
  await under.store.files.apply(project, { ...batchOf(edit), deleted })
  under.sessions.ensure(project)
  const page = await under.sessions.recorded(project)
  const found = await Promise.all(REQUESTS.map((request) => page?.find(request)))
  return (
    page && {
      revision: page.revision,
      isWhole: page.isWhole,
      there: REQUESTS.map(({ url }) => url).filter((_, place) => found[place]),
    }
  )
}

async function withPage(project: string, vite: number, besides: Record<string, string> = {}): Promise<void> {
  under.store.projects.put(project, {})
  const manifest = `{"type":"module","devDependencies":{"vite":"^${vite}.0.0"}}`
  await under.store.files.apply(project, batchOf({ ...APP, ...besides, 'package.json': manifest }))
  const socket = await untilLive(project)
  for (const request of REQUESTS) {
    const { status } = await askDevServer(
      socket,
      request.url,
      request.accept === 'page' ? 'text/html' : '*/*',
    )
    expect(status).toBe(200)
    requests.note(project, request, 'g')
  }
  await under.sessions.stop(project, '')
}

// Version 4 does not say how a module is imported.
const ABOVE = { 4: [], 8: ['/main.js', '/top.js'] }

test.each([4, 8] as const)(
  'of a page of Vite %s that slept, what no changed file made is there at once',
  async (vite) => {
    const project = `page-${vite}`
    await withPage(project, vite)
    const leaf = await recordedAfter(project, { 'leaf.js': 'console.log("other")\n' })
    expect(leaf).toMatchObject({ revision: 2, isWhole: false })
    expect(leaf?.there).toEqual(['/', ...ABOVE[vite], '/x.note?import'])
    const socket = await untilLive(project)
    expect((await askDevServer(socket, '/leaf.js')).text).toContain('other')
    await under.sessions.stop(project, '')
    // What a stylesheet in the page itself is made of.
    const theme = await recordedAfter(project, { 'theme.css': 'body { color: blue }' })
    expect(theme?.there).not.toContain('/')
    expect(theme?.there).toContain('/leaf.js')
    await untilLive(project)
    await under.sessions.stop(project, '')
    // A file that a plugin made a module of besides.
    const words = await recordedAfter(project, { 'words.txt': 'second words' })
    expect(words?.there).not.toContain('/x.note?import')
    expect(words?.there).toContain('/leaf.js')
    await untilLive(project)
    await under.sessions.stop(project, '')
  },
)

test('a page is whole again where a change was taken back, and void where nobody knows what a change does', async () => {
  await withPage('page', 8)
  await under.store.files.apply('page', batchOf({ 'leaf.js': 'console.log("for a moment")\n' }))
  expect(await recordedAfter('page', { 'leaf.js': APP['leaf.js'] })).toMatchObject({
    revision: 3,
    isWhole: true,
  })
  await untilLive('page')
  await under.sessions.stop('page', '')
  expect(await recordedAfter('page', { 'unused.js': '// another' })).toBeUndefined()
  await untilLive('page')
  await under.sessions.stop('page', '')
  expect(await recordedAfter('page', { 'vite.config.js': `${CONFIG}// another` })).toBeUndefined()
  await untilLive('page')
  await under.sessions.stop('page', '')
})

test('nothing of a page is there any more after an edit while its dev server starts, and what asks for it waits for that', async () => {
  await withPage('meanwhile', 8)
  expect(await recordedAfter('meanwhile', { 'leaf.js': 'console.log("other")\n' })).toMatchObject({
    revision: 2,
  })
  await under.store.files.apply('meanwhile', batchOf({ 'top.js': 'console.log("another")\n' }))
  const page = await under.sessions.recorded('meanwhile')
  expect(page?.isWhole).toBe(false)
  expect(await Promise.all(REQUESTS.map((request) => page?.find(request)))).toEqual(
    REQUESTS.map(() => undefined),
  )
  const address = await under.sessions.untilLive('meanwhile')
  expect(address?.generation).toBe(page?.generation)
  await expect.poll(async () => under.sessions.address('meanwhile')?.revision).toBe(3)
  expect(await under.sessions.recorded('meanwhile')).toBeUndefined()
  await under.sessions.stop('meanwhile', '')
})

test('an edit that was on its way when the session went to sleep is not taken for what was there before', async () => {
  const slow = "{ name: 'slow', handleHotUpdate: () => new Promise((done) => setTimeout(done, 2000)) }"
  const config = CONFIG.replace('plugins: [notes]', `plugins: [notes, ${slow}]`)
  await withPage('on-its-way', 8, { 'vite.config.js': config })
  await untilLive('on-its-way')
  await under.store.files.apply('on-its-way', batchOf({ 'leaf.js': 'console.log("for a moment")\n' }))
  const applied = under.sessions.apply('on-its-way')
  const { socket = '' } = under.sessions.address('on-its-way') ?? {}
  await expect.poll(async () => (await askDevServer(socket, '/leaf.js')).text).toContain('for a moment')
  await under.sessions.stop('on-its-way', '')
  await applied
  const back = await recordedAfter('on-its-way', { 'leaf.js': APP['leaf.js'] })
  expect(back?.there).toContain('/top.js')
  expect(back?.there).not.toContain('/leaf.js')
  await untilLive('on-its-way')
  await under.sessions.stop('on-its-way', '')
})
