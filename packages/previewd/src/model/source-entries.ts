import type { FileEntry, Snapshot } from './files.ts'
import type { InputEntry } from './worker.ts'

/** Larger files are streamed, so that one of 100 MB does not stand in memory. */
const MAX_WHOLE_BYTES = 1024 * 1024
const READ_AHEAD = 16

/** Files of a revision, all of them by default, as they go into a worker, a few of them read ahead. */
export async function* sourceEntries(
  snapshot: Snapshot,
  files: Iterable<FileEntry> = snapshot.files.values(),
): AsyncGenerator<InputEntry> {
  const waiting: Promise<InputEntry>[] = []
  try {
    for (const { path, size } of files) {
      waiting.push(toEntry(snapshot, path, size))
      const next = waiting.length > READ_AHEAD ? waiting.shift() : undefined
      if (next) yield await next
    }
    for (let next = waiting.shift(); next; next = waiting.shift()) yield await next
  } finally {
    await Promise.allSettled(waiting)
  }
}

async function toEntry(snapshot: Snapshot, path: string, size: number): Promise<InputEntry> {
  const content = size > MAX_WHOLE_BYTES ? snapshot.stream(path) : await snapshot.read(path)
  return { kind: 'file', path, size, content }
}
