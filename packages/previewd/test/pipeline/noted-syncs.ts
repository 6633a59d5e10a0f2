import { resolveConfig } from '../../src/config.ts'
import type { AppliedChanges, ChangeBatch } from '../../src/model/files.ts'
import { Syncs } from '../../src/pipeline/syncs.ts'
import { openStore } from '../../src/store/open-store.ts'
import { oneFile, only } from './sources-in-between.ts'

/** Syncs of a project that is written through, with a source of one file that others write, too. */
export async function openNoted(
  dataDir: string,
  apply?: (id: string, batch: ChangeBatch) => Promise<AppliedChanges>,
) {
  const config = resolveConfig({ PREVIEWD_DATA: dataDir, PREVIEWD_REGISTRY: 'http://registry.invalid/' })
  const store = await openStore({ dataDir, limits: config.limits, mirror: false })
  const source = { text: '1', written: [] as string[] }
  const sources = only({
    ...oneFile(() => source.text),
    remove: async (path) => void source.written.push(`no ${path}`),
    write: async ({ path }) => `version ${source.written.push(path)}`,
  })
  const parts = { ...store, sources, config, onError: () => undefined }
  const syncs = new Syncs(parts, apply ?? ((id, batch) => store.files.apply(id, batch)))
  const owner = { id: 'demo', isTrusted: true }
  store.projects.put('demo', { source: sources.resolve({ kind: 'azure-blob' }, owner) })
  return { store, syncs, source }
}
