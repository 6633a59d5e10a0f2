import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openNoted } from './noted-syncs.ts'
import { batchOf } from './pipeline-under-test.ts'

const CHILD = join(import.meta.dirname, 'notes-crash-child.ts')

it.each([
  ['before', '1'],
  ['after', '2'],
])(
  'a server that was killed %s it applied what it fetched stores only what is pushed',
  async (when, held) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'previewd-notes-'))
    onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
    expect(spawnSync(process.execPath, [CHILD, dataDir, when]).signal).toBe('SIGKILL')
    const { store, syncs, source } = await openNoted(dataDir)
    const page = async () => {
      await using snapshot = await store.files.snapshot('demo')
      return (await snapshot.read('index.html')).toString()
    }
    expect(await page()).toBe(held)
    source.text = '3'
    await syncs.push('demo', () => store.files.apply('demo', batchOf({ 'pushed.html': 'x' })))
    expect(source.written).toEqual(['pushed.html'])
    await syncs.sync('demo', {})
    expect(await page()).toBe('3')
    await syncs.close()
    await store.close()
  },
)
