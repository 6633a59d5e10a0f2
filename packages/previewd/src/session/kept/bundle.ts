import { rm } from 'node:fs/promises'
import { posix } from 'node:path'
import { PackFile } from '../../lib/pack/pack-file.ts'
import { PackWriter } from '../../lib/pack/pack-writer.ts'
import { type InputEntry, type OutputLimits, type Worker, WorkerError } from '../../model/worker.ts'

/** Where Vite keeps the dependencies that it has bundled for pages, unless a project's configuration says otherwise. */
const BUNDLE = 'node_modules/.vite/deps'
const LIMITS: OutputLimits = { files: 4000, bytes: 128 * 1024 * 1024 }
/** What is larger is read in pieces. */
const MAX_WHOLE_BYTES = 1024 * 1024

/**
 * Takes the bundle out of a worker. The names in the pack begin with the environment that it was made of: Vite compares
 * the configuration and the lockfile, and does not see that the packages are others.
 */
export async function collectBundle(
  path: string,
  { worker, folder }: { worker: Worker; folder: string },
  environmentKey: string,
): Promise<void> {
  const pack = await PackWriter.create(path)
  try {
    for await (const entry of worker.collect(posix.join(folder, BUNDLE), LIMITS)) {
      if (entry.kind === 'file') await pack.add(`${environmentKey}/${entry.path}`, entry.content)
    }
    await pack.seal()
  } catch (error) {
    await pack.abort()
    // What was kept before may not be what a later start should have.
    await rm(path, { force: true })
    if (!(error instanceof WorkerError)) throw error
  }
}

/** A bundle that was kept; open until it is disposed of, also for contents that are still being read. */
export interface KeptBundle extends AsyncDisposable {
  /** Its files where they belong below /app. */
  entries(): AsyncIterable<InputEntry>
}

/** Undefined where there is no bundle of this environment. `folder` is relative to /app. */
export async function openBundle(
  path: string,
  environmentKey: string,
  folder: string,
): Promise<KeptBundle | undefined> {
  const pack = await PackFile.open(path)
  if (!pack) return undefined
  const prefix = `${environmentKey}/`
  if (!pack.index.keys().some((name) => name.startsWith(prefix))) {
    await pack.release()
    return undefined
  }
  return {
    entries: () => bundleEntries(pack, prefix, posix.join(folder, BUNDLE)),
    [Symbol.asyncDispose]: () => pack.release(),
  }
}

async function* bundleEntries(pack: PackFile, prefix: string, folder: string): AsyncGenerator<InputEntry> {
  for (const entry of pack.index.values()) {
    if (!entry.path.startsWith(prefix)) continue
    const content = entry.size > MAX_WHOLE_BYTES ? pack.stream(entry) : await pack.read(entry)
    const path = posix.join(folder, entry.path.slice(prefix.length))
    yield { kind: 'file', path, size: entry.size, content }
  }
}
