import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import PQueue from 'p-queue'
import { PreviewdError } from '../../errors.ts'
import type { Environment } from '../../model/environment.ts'
import { type KeptBundle, openBundle } from './bundle.ts'
import type { Recipe } from './recipe.ts'

/** Bundles on the disk; those used longest ago go first. */
const MAX_BUNDLES = 64
const MAX_WAITING = 8
const MAX_FAILED = 500
/** The page that was opened first needs the processor more. */
const PAUSE_MS = 3_000

/** Makes the bundle of a recipe in a sandbox that has seen nothing else, and writes it to the path. */
export type MakeBundle = (recipe: Recipe, path: string, signal: AbortSignal) => Promise<void>

/**
 * Bundles of dependencies that serve every project with the same recipe. No project's dev server writes here: each is
 * made by a worker of its own from the recipe alone, so that nobody can put anything into the pages of others.
 */
export class SharedBundles {
  readonly #folder: string
  readonly #queue = new PQueue({ concurrency: 1 })
  readonly #due = new Set<string>()
  /** Not tried again: what made it fail is in the recipe. */
  readonly #failed = new LRUCache<string, true>({ max: MAX_FAILED })
  readonly #closing = new AbortController()

  constructor(dataDir: string) {
    this.#folder = join(dataDir, 'bundles')
  }

  /** Undefined where there is none yet. */
  async open(recipe: Recipe, environment: Environment, folder: string): Promise<KeptBundle | undefined> {
    const path = this.#path(recipe)
    const bundle = await openBundle(path, environment.key, folder)
    if (bundle) await utimes(path, new Date(), new Date())
    return bundle
  }

  /** Has it made, some time later; nobody waits for it. */
  want(recipe: Recipe, make: MakeBundle): void {
    const { key } = recipe
    if (this.#due.has(key) || this.#failed.has(key) || this.#due.size >= MAX_WAITING) return
    this.#due.add(key)
    void this.#makeLater(recipe, make)
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#queue.clear()
    await this.#queue.onIdle()
  }

  async #makeLater(recipe: Recipe, make: MakeBundle): Promise<void> {
    try {
      await delay(PAUSE_MS, undefined, { signal: this.#closing.signal })
    } catch {
      // The server ends.
      return
    }
    await this.#queue.add(() => this.#make(recipe, make))
  }

  async #make(recipe: Recipe, make: MakeBundle): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      await make(recipe, this.#path(recipe), this.#closing.signal)
      await this.#evict()
    } catch (error) {
      // Each project goes on to make its own. What was in the way of the worker itself may be gone the next time.
      const isPassing = error instanceof PreviewdError || this.#closing.signal.aborted
      if (!isPassing) this.#failed.set(recipe.key, true)
    } finally {
      this.#due.delete(recipe.key)
    }
  }

  async #evict(): Promise<void> {
    const names = await readdir(this.#folder)
    if (names.length <= MAX_BUNDLES) return
    const paths = names.map((name) => join(this.#folder, name))
    const used = await Promise.all(paths.map(async (path) => ({ path, at: (await stat(path)).mtimeMs })))
    const oldest = used.toSorted((a, b) => a.at - b.at).slice(0, names.length - MAX_BUNDLES)
    await Promise.all(oldest.map(({ path }) => rm(path, { force: true })))
  }

  #path({ key }: Recipe): string {
    return join(this.#folder, `${key}.pack`)
  }
}
