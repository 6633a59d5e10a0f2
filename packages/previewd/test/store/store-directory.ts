import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openStore, type Store, type StoreOptions } from '../../src/store/open-store.ts'
import { LIMITS } from './limits.ts'

/** A data directory that is removed when the test is over. */
export async function makeDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'previewd-store-'))
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
  return dataDir
}

/** A store that is closed when the test is over, unless the test closed it. */
export async function openTestStore(dataDir: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  const store = await openStore({ dataDir, limits: LIMITS, ...options })
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    await store.close()
  }
  onTestFinished(close)
  return { ...store, close }
}

export function filesOf(contents: Record<string, string>): { path: string; content: Buffer }[] {
  return Object.entries(contents).map(([path, text]) => ({ path, content: Buffer.from(text) }))
}

/** path -> text of the newest revision. */
export async function readAll(store: Store, project: string): Promise<Record<string, string>> {
  await using snapshot = await store.files.snapshot(project)
  const all: Record<string, string> = Object.create(null)
  for (const path of snapshot.files.keys()) all[path] = (await snapshot.read(path)).toString()
  return all
}
