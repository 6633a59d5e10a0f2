import { statfs } from 'node:fs/promises'
import { PreviewdError } from '../errors.ts'

export interface DiskGuard extends Disposable {
  /** Aborts with STORAGE_FULL when the space runs out. */
  readonly signal: AbortSignal
}

/** An archive of a few kilobytes can unpack to any size, and everything else on the disk needs room too. */
const MINIMUM_FREE_BYTES = 512 * 1024 * 1024
const LOOK_EVERY_MS = 500

/** Watches the free space of a folder's disk; rejects with STORAGE_FULL where there is too little to begin with. */
export async function guardDisk(folder: string, minimumFreeBytes = MINIMUM_FREE_BYTES): Promise<DiskGuard> {
  const controller = new AbortController()
  const look = async () => {
    const { bavail, bsize } = await statfs(folder)
    if (bavail * bsize >= minimumFreeBytes) return
    throw new PreviewdError('STORAGE_FULL', 'The disk has too little space left to install dependencies.')
  }
  await look()
  const timer = setInterval(() => {
    look().catch((error: unknown) => controller.abort(error))
  }, LOOK_EVERY_MS)
  timer.unref()
  return { signal: controller.signal, [Symbol.dispose]: () => clearInterval(timer) }
}
