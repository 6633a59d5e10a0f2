import { checkFilePath, isNobodysSource } from '../model/file-path.ts'
import type { ChangeBatch } from '../model/files.ts'
import type { ComingNotes, SourceNotes } from '../model/source.ts'
import { compareAll } from './compare-all.ts'
import { Downloads } from './downloads.ts'
import type { PullOptions } from './pull-options.ts'

/** Disposing of it removes what was spooled. */
export interface Pulled extends AsyncDisposable {
  /** What makes the project's files level with the source. */
  batch: ChangeBatch
  /** What the source holds, once the batch is applied. */
  notes: SourceNotes
  /** Files that were compared and not downloaded. */
  same: number
}

/** Of the paths that a caller names, those to look at; throws INVALID_PATH where one cannot be a file's. */
export function wantedPaths(paths: readonly string[]): string[] {
  const wanted = [...new Set(paths)].filter((path) => !isNobodysSource(path))
  wanted.forEach(checkFilePath)
  return wanted
}

/** What will be noted once the batch is applied: of its paths, or of all where nothing was noted before. */
export function comingNotes({ batch, notes }: Pulled, known: SourceNotes | undefined): ComingNotes {
  const changed = [...batch.files.map(({ path }) => path), ...batch.deleted]
  const paths = new Set(known ? changed : [...changed, ...notes.files.keys()])
  return { place: notes.place, files: new Map([...paths].map((path) => [path, notes.files.get(path)])) }
}

/**
 * Finds out what differs between a project and its source, and downloads that. The source decides: a path that it does
 * not have is deleted, whatever the caller said of it, so that calls that come late or out of order do no harm.
 * Rejects with the errors of {@link Source}, and before a download with INVALID_PATH, FILE_TOO_LARGE, PROJECT_TOO_LARGE
 * or TOO_MANY_FILES; nothing is left behind then.
 */
export async function pull(options: PullOptions): Promise<Pulled> {
  const { paths, notes } = options
  const downloads = new Downloads(options)
  const known = new Map(notes.files)
  let unread = 0
  try {
    const deleted: string[] = []
    if (paths === undefined) {
      const { changed, gone, same } = await compareAll(options)
      deleted.push(...gone)
      for (const [path, note] of same) known.set(path, note)
      unread = same.size
      await downloads.run(changed)
    } else {
      await downloads.run(paths.filter((path) => !options.isOurs?.(path)))
    }
    for (const path of downloads.gone) if (options.manifest.has(path)) deleted.push(path)
    for (const [path, note] of downloads.notes) known.set(path, note)
    for (const path of [...deleted, ...downloads.gone]) known.delete(path)
    return {
      batch: { files: downloads.files, deleted },
      notes: { place: notes.place, files: known },
      same: unread,
      [Symbol.asyncDispose]: () => downloads.dispose(),
    }
  } catch (error) {
    await downloads.dispose()
    throw error
  }
}
