import { posix } from 'node:path'
import { PreviewdError } from '../errors.ts'
import type { ArtifactWriter } from '../model/artifact.ts'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { Snapshot } from '../model/files.ts'
import { type OutputLimits, type Worker, WorkerError } from '../model/worker.ts'

/** What was taken over into the artifact. */
export interface Taken {
  files: number
  bytes: number
  hasIndex: boolean
  warnings: Diagnostic[]
}

/**
 * Takes the first of the folders that the build made. Links are not followed and not taken; a warning says so.
 * Dotfiles, package files and node_modules are not for viewers: a build may write into the folder of its sources.
 * Rejects with a WorkerError of reason `missing_output` where no folder holds a file.
 */
export async function takeOutput(
  worker: Worker,
  folders: readonly string[],
  writer: ArtifactWriter,
  limits: OutputLimits,
): Promise<Taken> {
  for (const folder of folders) {
    const taken = await takeFolder(worker, folder, writer, limits)
    if (taken.files > 0) return taken
  }
  throw new WorkerError('missing_output', `none of ${folders.join(', ')} holds a file`)
}

/** As {@link takeOutput}, for one folder that need not be there. */
export async function takeFolder(
  worker: Worker,
  folder: string,
  writer: ArtifactWriter,
  limits: OutputLimits,
): Promise<Taken> {
  const taken = { files: 0, bytes: 0, hasIndex: false }
  const skipped: string[] = []
  try {
    for await (const entry of worker.collect(folder, limits)) {
      if (!isPublic(entry.path)) continue
      if (entry.kind === 'link' || !(await addEntry(writer, entry.path, entry.content))) {
        skipped.push(entry.path)
        continue
      }
      taken.files++
      taken.bytes += entry.size
      taken.hasIndex ||= entry.path === 'index.html'
    }
  } catch (error) {
    if (!(error instanceof WorkerError && error.reason === 'missing_output')) throw error
  }
  return { ...taken, warnings: skipped.length > 0 ? [skippedEntries(skipped)] : [] }
}

/** False for a name that an artifact does not take, e.g. one with a backslash. */
export async function addEntry(
  writer: ArtifactWriter,
  path: string,
  content: AsyncIterable<Buffer>,
): Promise<boolean> {
  try {
    await writer.add(path, content)
    return true
  } catch (error) {
    if (error instanceof PreviewdError && error.code === 'INVALID_PATH') return false
    throw error
  }
}

function skippedEntries(paths: string[]): Diagnostic {
  const named = paths.slice(0, 5).join(', ')
  return {
    origin: 'build',
    severity: 'warning',
    code: 'OUTPUT_ENTRY_SKIPPED',
    message: `${paths.length} symbolic links or unusable names in the output were left out: ${named}`,
  }
}

const PACKAGE_FILES = new Set([
  'package.json',
  'package-lock.json',
  'npm-shrinkwrap.json',
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'yarn.lock',
  'bun.lock',
  'bun.lockb',
])

/** Copies a static site: everything below the folder but dotfiles and package files, which are not for viewers. */
export async function takeStatic(
  snapshot: Snapshot,
  folder: string,
  writer: ArtifactWriter,
  limits: OutputLimits,
  signal: AbortSignal,
): Promise<Taken> {
  const taken: Taken = { files: 0, bytes: 0, hasIndex: false, warnings: [] }
  for (const { path, size } of snapshot.files.values()) {
    const name = folder === '' ? path : posix.relative(folder, path)
    if (name.startsWith('../') || !isPublic(name)) continue
    signal.throwIfAborted()
    taken.files++
    taken.bytes += size
    if (taken.files > limits.files) throw new WorkerError('too_many_files', `more than ${limits.files} files`)
    if (taken.bytes > limits.bytes) throw new WorkerError('too_many_bytes', `more than ${limits.bytes} bytes`)
    await writer.add(name, size > MAX_WHOLE_BYTES ? snapshot.stream(path) : await snapshot.read(path))
    taken.hasIndex ||= name === 'index.html'
  }
  return taken
}

const MAX_WHOLE_BYTES = 1024 * 1024

function isPublic(path: string): boolean {
  const segments = path.split('/')
  if (PACKAGE_FILES.has(segments.at(-1) ?? '')) return false
  return segments.every(
    (segment) => (!segment.startsWith('.') || segment === '.well-known') && segment !== 'node_modules',
  )
}
