import { hash } from 'node:crypto'
import { PreviewdError } from '../errors.ts'
import type { Addition } from '../lib/pack/pack-file.ts'
import type { ChangeBatch, FileChange, IncomingFile, Manifest } from '../model/files.ts'
import { findCollision } from './find-collision.ts'

export interface FileLimits {
  fileBytes: number
  projectBytes: number
  files: number
}

/** What a batch does to a project, before anything is written. */
export interface ChangePlan {
  additions: Addition[]
  removed: Set<string>
  /** In the order of the paths. */
  changed: FileChange[]
  unchanged: number
}

/** Hashes what the batch carries in memory; refuses what no project may hold, before it waits for its turn. */
export function toAdditions(batch: ChangeBatch, limits: FileLimits): Addition[] {
  if (batch.files.length > limits.files) throw tooManyFiles(batch.files.length, limits)
  return batch.files.map((file) => {
    const addition = toAddition(file)
    if (addition.size > limits.fileBytes) {
      throw new PreviewdError(
        'FILE_TOO_LARGE',
        `"${addition.path}" has ${addition.size} bytes; a file may have ${limits.fileBytes}.`,
      )
    }
    return addition
  })
}

function toAddition(file: IncomingFile): Addition {
  if ('content' in file) {
    const { path, content } = file
    return { path, size: content.length, sha256: hash('sha256', content), content }
  }
  const { path, spooled } = file
  return {
    path,
    size: spooled.size,
    sha256: spooled.sha256,
    content: { file: spooled.file, offset: spooled.offset },
  }
}

/**
 * Compares a batch with the files that a project has. Throws TOO_MANY_FILES, PROJECT_TOO_LARGE, INVALID_PATH (names
 * that cannot be beside each other) or BAD_REQUEST (a path that the batch names twice).
 */
export function planChanges(
  before: Manifest,
  sent: readonly Addition[],
  batch: Pick<ChangeBatch, 'deleted' | 'replaceAll'>,
  limits: FileLimits,
): ChangePlan {
  const plan: ChangePlan = { additions: [], removed: new Set(), changed: [], unchanged: 0 }
  const named = new Set<string>()
  for (const addition of sent) {
    if (named.has(addition.path)) throw namedTwice(addition.path)
    named.add(addition.path)
    const known = before.get(addition.path)
    if (known?.sha256 === addition.sha256) {
      plan.unchanged++
      continue
    }
    plan.additions.push(addition)
    plan.changed.push({ path: addition.path, kind: known ? 'modified' : 'added' })
  }
  for (const path of new Set(batch.deleted)) {
    if (named.has(path)) throw namedTwice(path)
    if (before.has(path)) plan.removed.add(path)
    else plan.unchanged++
  }
  if (batch.replaceAll) {
    for (const path of before.keys()) if (!named.has(path)) plan.removed.add(path)
  }
  for (const path of plan.removed) plan.changed.push({ path, kind: 'deleted' })
  plan.changed.sort((a, b) => (a.path < b.path ? -1 : 1))
  checkOutcome(before, plan, limits)
  return plan
}

function checkOutcome(before: Manifest, plan: ChangePlan, limits: FileLimits): void {
  if (plan.additions.length === 0) return
  const after = new Map<string, number>()
  for (const { path, size } of before.values()) if (!plan.removed.has(path)) after.set(path, size)
  const fresh = plan.additions.some(({ path }) => !after.has(path))
  for (const { path, size } of plan.additions) after.set(path, size)
  if (after.size > limits.files) throw tooManyFiles(after.size, limits)
  const totalBytes = after.values().reduce((sum, size) => sum + size, 0)
  if (totalBytes > limits.projectBytes) {
    throw new PreviewdError(
      'PROJECT_TOO_LARGE',
      `The project would have ${totalBytes} bytes; it may have ${limits.projectBytes}.`,
    )
  }
  const collision = fresh ? findCollision(after.keys()) : undefined
  if (collision) throw new PreviewdError('INVALID_PATH', collision)
}

function tooManyFiles(count: number, limits: FileLimits): PreviewdError {
  return new PreviewdError(
    'TOO_MANY_FILES',
    `The project would have ${count} files; it may have ${limits.files}.`,
  )
}

function namedTwice(path: string): PreviewdError {
  return new PreviewdError('BAD_REQUEST', `The batch names "${path}" twice.`)
}
