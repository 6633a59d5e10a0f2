import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import type { TreeLink } from './environment-tree.ts'

const environmentSchema = z.object({
  version: z.literal(1),
  links: z.array(z.tuple([z.string(), z.string()])),
})
const resolutionSchema = z.object({
  version: z.literal(1),
  /** Key of the environment that this resolution made. */
  key: z.string(),
  lockfile: z.string(),
  /** Milliseconds since the epoch. */
  resolvedAt: z.number(),
})

/** What resolving without a complete lockfile led to. */
export type Resolution = Omit<z.output<typeof resolutionSchema>, 'version'>

/** Below the records' own folder, so that it is on the same file system; emptied at the start. */
export const TEMPORARY_FOLDER = '.tmp'
const CACHED_ENVIRONMENTS = 256
const TOUCH_EVERY_MS = 60 * 60 * 1000
const CACHED_LINKS = 200_000
const CACHED_LOCKFILE_CHARACTERS = 32 * 1024 * 1024

/**
 * Environments and resolutions on disk, one folder for each key: `{dir}/{key}/environment.json`, and
 * `{dir}/{key}/resolution.json` where the key belongs to an incomplete request.
 */
export class EnvironmentRecords {
  readonly #dir: string
  readonly #environments = new LRUCache<string, readonly TreeLink[]>({
    max: CACHED_ENVIRONMENTS,
    maxSize: CACHED_LINKS,
    sizeCalculation: (links) => links.length + 1,
  })
  readonly #resolutions = new LRUCache<string, Resolution>({
    max: CACHED_ENVIRONMENTS,
    maxSize: CACHED_LOCKFILE_CHARACTERS,
    sizeCalculation: ({ lockfile }) => lockfile.length + 1,
  })

  readonly #touched = new LRUCache<string, true>({ max: 4 * CACHED_ENVIRONMENTS, ttl: TOUCH_EVERY_MS })

  constructor(dir: string) {
    this.#dir = dir
  }

  async links(key: string): Promise<readonly TreeLink[] | undefined> {
    const cached = this.#environments.get(key)
    if (cached !== undefined) {
      await this.#touch(key)
      return cached
    }
    const record = environmentSchema.safeParse(await this.#read(key, 'environment.json')).data
    if (record === undefined) return undefined
    this.#environments.set(key, record.links)
    await this.#touch(key)
    return record.links
  }

  async saveLinks(key: string, links: readonly TreeLink[]): Promise<void> {
    await this.#write(key, 'environment.json', { version: 1, links })
    this.#environments.set(key, links)
  }

  async resolution(requestKey: string): Promise<Resolution | undefined> {
    const cached = this.#resolutions.get(requestKey)
    if (cached !== undefined) return cached
    const record = resolutionSchema.safeParse(await this.#read(requestKey, 'resolution.json')).data
    if (record !== undefined) this.#resolutions.set(requestKey, record)
    return record
  }

  async saveResolution(requestKey: string, resolution: Resolution): Promise<void> {
    await this.#write(requestKey, 'resolution.json', { version: 1, ...resolution })
    this.#resolutions.set(requestKey, resolution)
  }

  /** Drops what is in memory: records were removed from the disk. */
  forget(): void {
    this.#environments.clear()
    this.#resolutions.clear()
    this.#touched.clear()
  }

  /** The time of the file says when the environment was last used; an hour more or less does not matter. */
  async #touch(key: string): Promise<void> {
    if (this.#touched.has(key)) return
    this.#touched.set(key, true)
    const now = new Date()
    await utimes(join(this.#dir, key, 'environment.json'), now, now).catch((error: NodeJS.ErrnoException) => {
      // An operator may have removed the record; what is in memory is still good.
      if (error.code !== 'ENOENT') throw error
    })
  }

  /** Undefined for a file that is absent or was cut off: it is then made again. */
  async #read(key: string, name: string): Promise<unknown> {
    try {
      return JSON.parse(await readFile(join(this.#dir, key, name), 'utf8'))
    } catch (error) {
      const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT'
      if (isAbsent || error instanceof SyntaxError) return undefined
      throw error
    }
  }

  async #write(key: string, name: string, value: unknown): Promise<void> {
    const folder = join(this.#dir, key)
    const temporaries = join(this.#dir, TEMPORARY_FOLDER)
    await mkdir(folder, { recursive: true })
    await mkdir(temporaries, { recursive: true })
    const temporary = join(temporaries, randomBytes(8).toString('hex'))
    const file = await open(temporary, 'w')
    try {
      await file.writeFile(JSON.stringify(value))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, join(folder, name))
  }
}
