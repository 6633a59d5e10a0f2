import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { resolveConfig } from '../../src/config.ts'
import { Syncs } from '../../src/pipeline/syncs.ts'
import { openStore } from '../../src/store/open-store.ts'
import { batchOf } from './pipeline-under-test.ts'
import { oneFile, only } from './sources-in-between.ts'

it('still knows, once a push is stored, that one which came meanwhile is to be stored', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'previewd-pushed-'))
  const config = resolveConfig({ PREVIEWD_DATA: dataDir, PREVIEWD_REGISTRY: 'http://registry.invalid/' })
  const store = await openStore({ dataDir, limits: config.limits, mirror: false })
  const storing = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const second = Promise.withResolvers<string[]>()
  let writes = 0
  const sources = only({
    ...oneFile(() => 'x'),
    remove: async () => undefined,
    write: async () => {
      if (++writes > 1) second.resolve(store.sourceNotes.unstored())
      storing.resolve()
      await goOn.promise
      return `${writes}`
    },
  })
  const syncs = new Syncs({ ...store, sources, config, onError: () => undefined }, (id, batch) =>
    store.files.apply(id, batch),
  )
  store.projects.put('demo', {
    source: sources.resolve({ kind: 'azure-blob' }, { id: 'demo', isTrusted: true }),
  })
  const push = (text: string) =>
    syncs.push('demo', () => store.files.apply('demo', batchOf({ 'index.html': text })))
  const first = push('1')
  await storing.promise
  const other = push('2')
  await expect.poll(() => store.projects.get('demo')?.revision).toBe(2)
  goOn.resolve()
  expect(await second.promise).toEqual(['demo'])
  await Promise.all([first, other])
  expect(store.sourceNotes.unstored()).toEqual([])
  await syncs.close()
  await store.close()
  await rm(dataDir, { recursive: true })
})
