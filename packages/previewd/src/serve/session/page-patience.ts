import { LRUCache } from 'lru-cache'

/** A server that loads slowly may have lost the first question for ever; one that works hard answers a later one. */
const FIRST_MS = 10_000
const MOST_MS = 80_000
const MAX_PROJECTS = 1000

/** How long a page is waited for, by project: longer each time, until one is answered. */
export class PagePatience {
  readonly #firstMs: number
  readonly #times = new LRUCache<string, number>({ max: MAX_PROJECTS })

  constructor(firstMs = FIRST_MS) {
    this.#firstMs = firstMs
  }

  timeoutMs(project: string): number {
    return Math.min(MOST_MS, this.#firstMs * 2 ** (this.#times.get(project) ?? 0))
  }

  answered(project: string): void {
    this.#times.delete(project)
  }

  exhausted(project: string): void {
    this.#times.set(project, (this.#times.get(project) ?? 0) + 1)
  }
}
