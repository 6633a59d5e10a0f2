import { LRUCache } from 'lru-cache'

/** Larger files are read from the disk in ranges; its page cache does for them. */
export const MAX_CACHED_BYTES = 256 * 1024
/** What an entry costs besides its content. */
const ENTRY_BYTES = 300
/** Below this, Node cuts buffers out of shared ones, and a cached one would keep its neighbours in memory. */
const POOLED_BYTES = 4096

/** Whole small files in memory, bounded in bytes. Reads of the same file that come at once are one read. */
export class ContentCache {
  readonly #content: LRUCache<string, Buffer>
  readonly #reading = new Map<string, Promise<Buffer>>()

  constructor(maxBytes: number) {
    this.#content = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: (content, key) => content.length + 2 * key.length + ENTRY_BYTES,
    })
  }

  async get(key: string, read: () => Promise<Buffer>): Promise<Buffer> {
    const known = this.#content.get(key)
    if (known !== undefined) return known
    const underWay = this.#reading.get(key)
    if (underWay !== undefined) return underWay
    const reading = this.#readOnce(key, read)
    this.#reading.set(key, reading)
    return reading
  }

  async #readOnce(key: string, read: () => Promise<Buffer>): Promise<Buffer> {
    try {
      const content = await read()
      const own = content.length < POOLED_BYTES ? copyOf(content) : content
      this.#content.set(key, own)
      return own
    } finally {
      this.#reading.delete(key)
    }
  }
}

function copyOf(content: Buffer): Buffer {
  const own = Buffer.alloc(content.length)
  content.copy(own)
  return own
}
