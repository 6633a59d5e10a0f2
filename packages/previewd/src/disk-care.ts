import { statfs } from 'node:fs/promises'
import type { Logger } from 'pino'

/** Environments that can be removed by age. */
interface Evictable {
  evict(unusedForMs: number): Promise<object | undefined>
}

const CHECK_MS = 60 * 60 * 1000
/** Below this share of free space, or of free inodes, what nobody used for long is removed. */
const LOW_SHARE = 0.15
const UNUSED_MS = 14 * 24 * 60 * 60 * 1000

/** Looks after the space of the data directory once an hour, for as long as it is not stopped. */
export class DiskCare {
  readonly #environments: Evictable
  readonly #freeShare: () => Promise<number>
  readonly #logger: Pick<Logger, 'info' | 'error'>
  readonly #timer: NodeJS.Timeout

  constructor(
    environments: Evictable,
    freeShare: () => Promise<number>,
    logger: Pick<Logger, 'info' | 'error'>,
  ) {
    this.#environments = environments
    this.#freeShare = freeShare
    this.#logger = logger
    this.#timer = setInterval(() => void this.look(), CHECK_MS).unref()
  }

  /** Removes what may go, where space is low. Never rejects: the next hour tries again. */
  async look(): Promise<void> {
    try {
      const share = await this.#freeShare()
      if (share >= LOW_SHARE) return
      const evicted = await this.#environments.evict(UNUSED_MS)
      this.#logger.info(
        { freeShare: share, ...evicted },
        'Space is low: environments that nobody used were removed.',
      )
    } catch (error) {
      this.#logger.error({ err: error }, 'Space could not be made.')
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

/** The smaller one of the shares of free bytes and free inodes, from 0 to 1; file systems without inodes count as free. */
export async function freeShareOf(directory: string): Promise<number> {
  const { bavail, blocks, ffree, files } = await statfs(directory)
  return Math.min(bavail / blocks, files === 0 ? 1 : ffree / files)
}
