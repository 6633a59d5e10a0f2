import { PreviewdError } from '../errors.ts'

const SQLITE_FULL = 13
const FULL_CODES = new Set(['ENOSPC', 'EDQUOT'])

/** What a caller is told when the disk or the database failed; errors that already have a code stay as they are. */
export function toStorageError(error: unknown): PreviewdError {
  if (error instanceof PreviewdError) return error
  const { code, errcode } = error as { code?: string; errcode?: number }
  if (FULL_CODES.has(code ?? '') || errcode === SQLITE_FULL) {
    return new PreviewdError('STORAGE_FULL', 'The disk is full; nothing was changed.', { cause: error })
  }
  return new PreviewdError('STORAGE_FAILED', 'The storage failed; nothing was changed.', { cause: error })
}

/** Runs a task so that whatever the storage throws has a code. */
export async function withStorageErrors<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task()
  } catch (error) {
    throw toStorageError(error)
  }
}
