import { createHash, randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { LRUCache } from 'lru-cache'

export interface CachedMetadata {
  file: string
  size: number
  headers: Readonly<Record<string, string>>
  fetchedAt: number
}

/**
 * Package metadata on disk, because that of a popular package is megabytes and an install asks for hundreds. Least
 * recently used files are removed; nothing is kept over a restart.
 */
export class MetadataCache {
  readonly #dir: string
  readonly #entries: LRUCache<string, CachedMetadata>

  constructor(dir: string, limitBytes: number) {
    this.#dir = dir
    this.#entries = new LRUCache({
      maxSize: limitBytes,
      sizeCalculation: ({ size }) => size + 1024,
      dispose: ({ file }, _key, reason) => {
        if (reason === 'evict') void rm(file, { force: true })
      },
    })
  }

  async clear(): Promise<void> {
    this.#entries.clear()
    await rm(this.#dir, { recursive: true, force: true })
    await mkdir(this.#dir, { recursive: true, mode: 0o700 })
  }

  get(key: string): CachedMetadata | undefined {
    return this.#entries.get(key)
  }

  /** The content of an entry whose key passes. */
  async find(matches: (key: string) => boolean): Promise<string | undefined> {
    const entry = [...this.#entries.entries()].find(([key]) => matches(key))
    try {
      return entry && (await readFile(entry[1].file, 'utf8'))
    } catch (error) {
      // Removed to make place in this moment.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Takes the content through the transforms; where they fail, nothing is kept. */
  async put(
    key: string,
    body: Readable,
    transforms: Transform[],
    headers: Record<string, string>,
  ): Promise<CachedMetadata> {
    const file = join(this.#dir, createHash('sha256').update(key).digest('hex'))
    const temporary = `${file}.${randomBytes(4).toString('hex')}`
    try {
      await pipeline([body, ...transforms, createWriteStream(temporary)])
      await rename(temporary, file)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
    return this.#keep(key, { file, size: (await stat(file)).size, headers, fetchedAt: Date.now() })
  }

  /** The registry said that the content is still the same. */
  refresh(key: string, entry: CachedMetadata): CachedMetadata {
    return this.#keep(key, { ...entry, fetchedAt: Date.now() })
  }

  #keep(key: string, entry: CachedMetadata): CachedMetadata {
    this.#entries.set(key, entry)
    return entry
  }
}
