import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { runInNewContext, Script } from 'node:vm'
import { expect, test } from 'vitest'
import { joinParts } from '../../src/serve/client/join-parts.ts'

const MAIN = new URL('../../src/serve/client/client.js', import.meta.url)

test('pages get one classic script, in which no name is declared twice', () => {
  const script = joinParts(MAIN)
  expect(() => new Script(script)).not.toThrow()
  const names = [...script.matchAll(/^(?:async )?(?:function|const|let|class) (?:(\w+)|\{(.*)\})/gm)].flatMap(
    ([, name, many]) => name ?? (many ?? '').split(',').map((one) => one.replace(/.*:/, '').trim()),
  )
  expect(names).toEqual(expect.arrayContaining(['WebSocket', 'isSentHere', 'createChangeOver', 'fetchAhead']))
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
})

/** What a script made of these files calls `tell` with, and what it leaves in the page. */
async function run(files: Record<string, string>) {
  const folder = await mkdtemp(join(tmpdir(), 'previewd-parts-'))
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
    const told: string[] = []
    const page = { tell: (word: string) => told.push(word) }
    runInNewContext(joinParts(pathToFileURL(join(folder, 'main.js'))), page)
    return { told, globals: Object.keys(page) }
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('a part runs once, before those that import it, and leaves nothing in the page', async () => {
  const parts = {
    'main.js': "import { b } from './b.js'\nimport {\n  a,\n} from './a.js'\n\ntell('main ' + a + b())\n",
    'b.js': "import { a } from './a.js'\n\ntell('b')\nexport function b() {\n  return a + 1\n}\n",
    'a.js': "tell('a')\nexport const a = 1\n",
  }
  expect(await run(parts)).toEqual({ told: ['a', 'b', 'main 12'], globals: ['tell'] })
})

test('an import from elsewhere, or of another kind, ends the start', async () => {
  for (const line of [
    "import { readFile } from 'node:fs'",
    "import { b } from '../b.js'",
    "import './a.js'",
    "import b from './a.js'",
    "export { a } from './a.js'",
    'export default 1',
  ]) {
    await expect(run({ 'main.js': `${line}\n`, 'a.js': '' }), line).rejects.toThrow('cannot be joined')
  }
})
