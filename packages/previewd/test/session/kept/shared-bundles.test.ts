import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PackFile } from '../../../src/lib/pack/pack-file.ts'
import { batchOf, openPipeline, type PipelineUnderTest } from '../../pipeline/pipeline-under-test.ts'
import { askDevServer } from '../dev-server.ts'

const TIMEOUT_MS = 100_000
/** In all that the first project has of its own. */
const CANARY = 'canary-of-the-first'
const APP = {
  'package.json': '{"type":"module","devDependencies":{"vite":"^8.0.0"},"dependencies":{"ms":"2.1.3"}}',
  'index.html': '<script type="module" src="/main.js"></script>',
  'main.js': 'import ms from "ms"; console.log(ms(60000))',
}

let under: PipelineUnderTest
beforeAll(async () => {
  under = await openPipeline({ sessions: { max: 1 } })
})
afterAll(async () => {
  expect(under.errors).toEqual([])
  await under[Symbol.asyncDispose]()
})

/** The name that a session gives to its bundle of dependencies. */
async function bundleIn(project: string, files: Record<string, string>): Promise<string | undefined> {
  under.store.projects.put(project, {})
  await under.store.files.apply(project, batchOf(files))
  under.sessions.ensure(project)
  await expect.poll(() => under.sessions.view(project).state, { timeout: TIMEOUT_MS }).toBe('live')
  const { socket = '' } = under.sessions.address(project) ?? {}
  const { text } = await askDevServer(socket, '/main.js')
  await under.sessions.stop(project, '')
  return /\/deps\/ms\.js\?v=(\w+)"/.exec(text)?.[1]
}

it('is made apart from the project that wanted it first, and the next one like it starts with it', async () => {
  const folder = join(under.dataDir, 'bundles')
  const packs = async () => (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.pack'))
  const own = {
    'main.js': `${APP['main.js']} // ${CANARY}`,
    'own.js': `export const own = "${CANARY}"`,
    '.env': `VITE_OWN=${CANARY}\n`,
    [`public/${CANARY}.txt`]: CANARY,
  }
  expect(await bundleIn('first', { ...APP, ...own })).toBeDefined()
  await expect.poll(packs, { timeout: TIMEOUT_MS }).toHaveLength(1)
  const [name = ''] = await packs()
  const pack = await PackFile.open(join(folder, name))
  const contents = new Map<string, string>()
  for (const entry of pack?.index.values() ?? []) {
    contents.set(entry.path.replace(/^[^/]+\//, ''), String(await pack?.read(entry)))
  }
  await pack?.release()
  expect([...contents].flat().filter((text) => text.includes(CANARY))).toEqual([])
  expect(contents.get('ms.js')).toContain('export default')
  const { browserHash, optimized } = JSON.parse(contents.get('_metadata.json') ?? '')
  expect(Object.keys(optimized)).toEqual(['ms'])

  // It names the bundle as the shared one does, and would have given it a name of its own.
  expect(await bundleIn('second', { ...APP, 'more.js': 'export const secret = 1' })).toBe(browserHash)
  const config = 'export default { define: { x: "1" } }'
  expect(await bundleIn('other', { ...APP, 'vite.config.js': config })).not.toBe(browserHash)
})
