import { stat } from 'node:fs/promises'
import { LRUCache } from 'lru-cache'
import { PackFile } from '../lib/pack/pack-file.ts'

/** Packs that are open, bounded in number: each costs a file descriptor and its index. */
export class OpenPacks {
  readonly #packs: LRUCache<string, Promise<PackFile | undefined>>

  constructor(max: number) {
    this.#packs = new LRUCache({ max, dispose: (pack) => void release(pack) })
  }

  /** Runs a task with the pack at `path`, which stays open until then; undefined where there is none. */
  async use<T>(path: string, task: (pack: PackFile) => T | Promise<T>): Promise<T | undefined> {
    const pack = await this.#retained(path)
    if (pack === undefined) return undefined
    try {
      return await task(pack)
    } finally {
      await pack.release()
    }
  }

  forget(path: string): void {
    this.#packs.delete(path)
  }

  close(): void {
    this.#packs.clear()
  }

  #drop(path: string, opening: Promise<PackFile | undefined>): void {
    if (this.#packs.peek(path) === opening) this.#packs.delete(path)
  }

  async #retained(path: string): Promise<PackFile | undefined> {
    const known = this.#packs.get(path)
    if (known !== undefined) return (await known)?.retain()
    // Retained in the same step in which it opens: it may be evicted before anyone who waits for it runs.
    const opening = openSealed(path)
    const retained = opening.then((pack) => pack?.retain())
    this.#packs.set(path, opening)
    try {
      const pack = await retained
      // An absent pack may be there the next time.
      if (pack === undefined) this.#drop(path, opening)
      return pack
    } catch (error) {
      this.#drop(path, opening)
      throw error
    }
  }
}

/** A sealed pack ends with its only commit, so that nothing of it has to be checked again. */
async function openSealed(path: string): Promise<PackFile | undefined> {
  const found = await stat(path).catch(absent)
  return found === undefined ? undefined : PackFile.open(path, { knownBytes: found.size })
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}

async function release(opening: Promise<PackFile | undefined>): Promise<void> {
  // Whoever asked for the pack has the error already.
  const pack = await opening.catch(() => undefined)
  await pack?.release()
}
