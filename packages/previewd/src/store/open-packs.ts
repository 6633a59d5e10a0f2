import { LRUCache } from 'lru-cache'
import type { PackFile } from '../lib/pack/pack-file.ts'

/** Open packs that are kept for their next use: bounds on descriptors and on index entries in memory. */
export class OpenPacks {
  readonly #packs: LRUCache<string, PackFile>
  readonly #onError: (error: unknown) => void

  constructor(bounds: { packs: number; entries: number }, onError: (error: unknown) => void) {
    this.#onError = onError
    this.#packs = new LRUCache({
      max: bounds.packs,
      maxSize: bounds.entries,
      sizeCalculation: (pack) => Math.min(bounds.entries, pack.index.size + 1),
      dispose: (pack) => this.#release(pack),
    })
  }

  get(project: string): PackFile | undefined {
    return this.#packs.get(project)
  }

  /** Takes over the caller's hold on the pack; also called when the number of its entries changed. */
  set(project: string, pack: PackFile): void {
    // Setting the same value again would not weigh it anew.
    if (this.#packs.peek(project) === pack) this.#packs.delete(project)
    this.#packs.set(project, pack)
  }

  drop(project: string): void {
    this.#packs.delete(project)
  }

  clear(): void {
    this.#packs.clear()
  }

  #release(pack: PackFile): void {
    pack.release().catch(this.#onError)
  }
}
