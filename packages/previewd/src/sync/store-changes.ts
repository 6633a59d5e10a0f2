import type { FileEntry, Manifest, Snapshot } from '../model/files.ts'
import type { Source, SourceNotes } from '../model/source.ts'

const AT_ONCE = 8

export interface StoreChangesOptions {
  source: Required<Pick<Source, 'write' | 'remove'>>
  snapshot: Snapshot
  /** What the source was known to hold. */
  notes: SourceNotes
  signal: AbortSignal
}

/** Whether the project has another state of a path than its source is known to have. */
export function isUnstored(path: string, manifest: Manifest, notes: SourceNotes): boolean {
  return manifest.get(path)?.sha256 !== notes.files.get(path)?.sha256
}

/**
 * Writes to the source what a project has otherwise than its source: files that differ from the notes are stored,
 * those that only the notes have are removed. Never rejects: `notes` say how far it came, `failure` why not further.
 */
export async function storeChanges(
  options: StoreChangesOptions,
): Promise<{ notes: SourceNotes; failure: unknown }> {
  const { snapshot, notes } = options
  const files = new Map(notes.files)
  const paths = new Set([...snapshot.files.keys(), ...notes.files.keys()])
  const queue = [...paths].filter((path) => isUnstored(path, snapshot.files, notes)).values()
  let failure: unknown
  const lane = async () => {
    for (const path of queue) {
      if (failure !== undefined) return
      const entry = snapshot.files.get(path)
      try {
        if (entry) files.set(path, await storeOne(options, entry))
        else {
          await options.source.remove(path, options.signal)
          files.delete(path)
        }
      } catch (error) {
        failure ??= error
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return { notes: { place: notes.place, files }, failure }
}

async function storeOne({ source, snapshot, signal }: StoreChangesOptions, entry: FileEntry) {
  const version = await source.write(entry, () => snapshot.stream(entry.path), signal)
  return { version, sha256: entry.sha256 }
}

/**
 * What is known of a source that is met for the first time by a project that has files: those that the source says to
 * hold with the same hash. The others of the project's files will be stored.
 */
export async function meetSource(
  source: Source,
  place: string,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<SourceNotes> {
  const files = new Map<string, { version: string; sha256: string }>()
  for await (const { path, version, sha256 } of source.list(signal)) {
    if (sha256 !== undefined && manifest.get(path)?.sha256 === sha256) files.set(path, { version, sha256 })
  }
  return { place, files }
}
