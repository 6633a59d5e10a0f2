import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveConfig } from '../../src/config.ts'
import type { StoredState } from '../../src/model/files.ts'
import type { Sources } from '../../src/model/source.ts'
import { Syncs } from '../../src/pipeline/syncs.ts'
import { createSources } from '../../src/source/sources.ts'
import { openStore, type Store } from '../../src/store/open-store.ts'
import type { TestStore } from '../source/stores.ts'
import { batchOf } from './pipeline-under-test.ts'

export interface SyncsUnderTest extends AsyncDisposable {
  store: Store
  syncs: Syncs
  /** The same projects, with little patience: for sources that do not answer. */
  hurried: Syncs
  /** What nobody was there to be told. */
  errors: unknown[]
  /** Makes a project with the store's source. */
  create(id: string, options?: { writeThrough?: boolean }): void
  /** Applies files as a client does. */
  push(id: string, files: Record<string, string>, deleted?: string[]): Promise<number>
  /** The same, where what is pushed is stored in the source, too. */
  pushThrough(id: string, files: Record<string, string>, deleted?: string[]): Promise<StoredState | undefined>
  /** The project's files as text, by path. */
  files(id: string): Promise<Record<string, string>>
  revision(id: string): number
}

/** Waits are short, but for one: a store of a busy machine has to have the time to answer. */
const TIMEOUT_MS = 10_000
const HURRIED_TIMEOUT_MS = 100
const PAUSE_MS = 20
const retryPauses = { firstMs: 50, longestMs: 1000 }

/** Syncs over the real store in a folder of its own and a real object store, with nothing built. */
export async function openSyncs(
  objects: TestStore,
  environment: Record<string, string> = {},
): Promise<SyncsUnderTest> {
  const dataDir = await mkdtemp(join(tmpdir(), 'previewd-syncs-'))
  const config = resolveConfig({
    PREVIEWD_DATA: dataDir,
    PREVIEWD_REGISTRY: 'http://registry.invalid/',
    PREVIEWD_SOURCE_TIMEOUT_MS: String(TIMEOUT_MS),
    ...objects.environment(),
    ...environment,
  })
  const sources = createSources(config, undefined, PAUSE_MS)
  const hurriedConfig = { ...config, sources: { ...config.sources, timeoutMs: HURRIED_TIMEOUT_MS } }
  const hurriedSources = createSources(hurriedConfig, undefined, PAUSE_MS)
  const store = await openStore({ dataDir, limits: config.limits, mirror: false })
  const errors: unknown[] = []
  const onError = (error: unknown) => errors.push(error)
  const makeSyncs = (from: Sources) =>
    new Syncs({ ...store, sources: from, config, onError, retryPauses }, (id, batch) =>
      store.files.apply(id, batch),
    )
  const syncs = makeSyncs(sources)
  const hurried = makeSyncs(hurriedSources)
  return {
    store,
    syncs,
    hurried,
    errors,
    create(id, { writeThrough } = {}) {
      const asked = { ...objects.source, ...(writeThrough && { writeThrough }) }
      store.projects.put(id, { source: sources.resolve(asked, { id, isTrusted: false }) })
    },
    async push(id, files, deleted = []) {
      return (await store.files.apply(id, { ...batchOf(files), deleted })).revision
    },
    async pushThrough(id, files, deleted = []) {
      const { stored } = await syncs.push(id, () => store.files.apply(id, { ...batchOf(files), deleted }))
      return stored
    },
    async files(id) {
      await using snapshot = await store.files.snapshot(id)
      const texts: Record<string, string> = {}
      for (const path of snapshot.files.keys()) texts[path] = (await snapshot.read(path)).toString()
      return texts
    },
    revision: (id) => store.projects.get(id)?.revision ?? 0,
    async [Symbol.asyncDispose]() {
      await syncs.close()
      await hurried.close()
      await sources[Symbol.asyncDispose]()
      await hurriedSources[Symbol.asyncDispose]()
      await store.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
