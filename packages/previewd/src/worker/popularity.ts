import { LRUCache } from 'lru-cache'

/** Each holds the names of the links of its environment. */
const MAX_KINDS = 16
/** A use counts half after this time. */
const HALF_LIFE_MS = 5 * 60_000
/** What nobody has used for so long is not popular, whatever it was. */
const FORGOTTEN_MS = 10 * 60_000

/** What was used how often of late. */
export class Popularity<Kind extends object> {
  readonly #now: () => number
  readonly #kinds = new LRUCache<string, { kind: Kind; score: number; at: number }>({ max: MAX_KINDS })

  /** `now` in milliseconds; a clock by default. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  use(key: string, kind: Kind): void {
    const now = this.#now()
    const before = this.#kinds.get(key)
    this.#kinds.set(key, { kind, score: 1 + (before ? this.#decayed(before) : 0), at: now })
  }

  forget(key: string): void {
    this.#kinds.delete(key)
  }

  /** The most popular first. */
  ranked(): Kind[] {
    const oldest = this.#now() - FORGOTTEN_MS
    return [...this.#kinds.values()]
      .filter(({ at }) => at > oldest)
      .sort((a, b) => this.#decayed(b) - this.#decayed(a))
      .map(({ kind }) => kind)
  }

  #decayed({ score, at }: { score: number; at: number }): number {
    return score * 0.5 ** ((this.#now() - at) / HALF_LIFE_MS)
  }
}
