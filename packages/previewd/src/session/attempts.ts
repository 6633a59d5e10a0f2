const WINDOW_MS = 5 * 60_000
/** Beyond the first start. */
const MAX_RESTARTS = 3
const FIRST_PAUSE_MS = 500

/** Bounds how often a dev server that ends by itself is started again. */
export class Attempts {
  readonly #now: () => number
  #failures: number[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  failed(): void {
    this.#failures.push(this.#now())
    this.#failures = this.#failures.filter((at) => at > this.#now() - WINDOW_MS)
  }

  /** False once it failed too often in too short a time. */
  get mayRetry(): boolean {
    return this.#failures.filter((at) => at > this.#now() - WINDOW_MS).length <= MAX_RESTARTS
  }

  /** How long to wait before the next one; longer each time. */
  get pauseMs(): number {
    return FIRST_PAUSE_MS * 4 ** Math.max(0, this.#failures.length - 1)
  }

  /** What failed before says nothing of the files that there are now. */
  forgive(): void {
    this.#failures = []
  }
}
