import { PreviewdError } from '../errors.ts'
import { checkFilePath, isNobodysSource } from '../model/file-path.ts'
import type { FileEntry } from '../model/files.ts'
import type { SourceFile, SourceNotes } from '../model/source.ts'
import { fileTooLarge, projectTooLarge, tooManyFiles } from './limit-errors.ts'
import type { PullLimits, PullOptions } from './pull-options.ts'

/** Of names that are left out: dependencies that somebody stored, say. */
const MAX_LEFT_OUT = 500_000

interface Comparison {
  changed: SourceFile[]
  gone: string[]
  /** Files that are as they were, with what is to be noted of them. */
  same: Map<string, { version: string; sha256: string }>
}

/** Lists the source and says what differs from the project, without reading any content. */
export async function compareAll(
  options: Pick<PullOptions, 'source' | 'manifest' | 'notes' | 'isOurs' | 'limits' | 'signal'>,
): Promise<Comparison> {
  const { source, manifest, notes, isOurs, limits, signal } = options
  const listed = new Set<string>()
  const comparison: Comparison = { changed: [], gone: [], same: new Map() }
  let totalBytes = 0
  let leftOut = 0
  for await (const file of source.list(signal)) {
    // Some stores keep an empty object that stands for a folder.
    if (file.path === '' || file.path.endsWith('/') || isNobodysSource(file.path)) {
      if (++leftOut > MAX_LEFT_OUT) throw tooManyFiles(limits)
      continue
    }
    checkFilePath(file.path)
    if (listed.has(file.path)) continue
    listed.add(file.path)
    totalBytes += file.size
    checkLimits(file, listed.size, totalBytes, limits)
    if (isOurs?.(file.path)) continue
    const sha256 = unchangedHash(file, manifest.get(file.path), notes)
    if (sha256 === undefined) comparison.changed.push(file)
    else comparison.same.set(file.path, { version: file.version, sha256 })
  }
  for (const path of manifest.keys()) if (!listed.has(path) && !isOurs?.(path)) comparison.gone.push(path)
  if (listed.size === 0 && comparison.gone.length > 0) {
    throw new PreviewdError(
      'SOURCE_NOT_FOUND',
      'The source has no files at this place. The files of the project were kept; delete the project to be rid of them.',
    )
  }
  return comparison
}

/** The hash of a file that need not be read: its version is known, or whoever wrote it noted its hash. */
function unchangedHash(
  file: SourceFile,
  ours: FileEntry | undefined,
  notes: SourceNotes,
): string | undefined {
  if (ours === undefined || ours.size !== file.size) return undefined
  const noted = notes.files.get(file.path)
  const theirs = noted?.version === file.version ? noted.sha256 : file.sha256
  return theirs === ours.sha256 ? theirs : undefined
}

function checkLimits(
  { path, size }: SourceFile,
  count: number,
  totalBytes: number,
  limits: PullLimits,
): void {
  if (count > limits.files) throw tooManyFiles(limits)
  if (size > limits.fileBytes) throw fileTooLarge(path, limits)
  if (totalBytes > limits.projectBytes) throw projectTooLarge(limits)
}
