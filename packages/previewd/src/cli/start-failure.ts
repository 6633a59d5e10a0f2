import { toStorageError } from '../model/storage-error.ts'

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** Why a server did not start, and what to do. */
export function explainStart(error: unknown): string {
  const code = errorCode(error)
  const message = error instanceof Error ? error.message : String(error)
  if (code === 'EADDRINUSE')
    return `The port is taken: stop what listens there, or choose another with --port. (${message})`
  if (code === 'EACCES')
    return `Not permitted: run as root, or choose a folder of yours with --data. (${message})`
  if (toStorageError(error).code === 'STORAGE_FULL')
    return `The disk is full: make room where PREVIEWD_DATA is, and start again. (${message})`
  return message
}
