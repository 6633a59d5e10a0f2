import { LRUCache } from 'lru-cache'

/** What an entry costs besides its content. */
const ENTRY_BYTES = 300

/** Contents in memory, bounded in bytes; what is larger than an entry may be is not kept. Readers that come at once share one read. */
export class ContentCache {
  readonly #content: LRUCache<string, Buffer>
  readonly #reading = new Map<string, Promise<Buffer>>()

  constructor(maxBytes: number, maxEntryBytes = maxBytes) {
    this.#content = new LRUCache({
      maxSize: maxBytes,
      maxEntrySize: maxEntryBytes,
      sizeCalculation: (content, key) => content.length + 2 * key.length + ENTRY_BYTES,
    })
  }

  /** What all entries take. */
  get sizeBytes(): number {
    return this.#content.calculatedSize
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
      const own = ownCopy(await read())
      this.#content.set(key, own)
      return own
    } finally {
      this.#reading.delete(key)
    }
  }
}

/** A buffer that was cut out of a larger one would keep all of that in memory, which no bound counts. */
function ownCopy(content: Buffer): Buffer {
  if (content.length === content.buffer.byteLength) return content
  const own = Buffer.alloc(content.length)
  content.copy(own)
  return own
}
