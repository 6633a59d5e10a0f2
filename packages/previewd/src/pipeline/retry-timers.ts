export interface RetryPauses {
  firstMs: number
  longestMs: number
}

const PAUSES: RetryPauses = { firstMs: 5_000, longestMs: 10 * 60_000 }
const MAX_TIMERS = 10_000

/** Calls again for each project what failed, after pauses that double, until it is told that it went well. */
export class RetryTimers {
  readonly #retry: (project: string) => void
  readonly #pauses: RetryPauses
  readonly #timers = new Map<string, { timer: NodeJS.Timeout; pauseMs: number }>()
  #closed = false

  constructor(retry: (project: string) => void, pauses: RetryPauses = PAUSES) {
    this.#retry = retry
    this.#pauses = pauses
  }

  failed(project: string): void {
    const before = this.#timers.get(project)
    if (this.#closed || (!before && this.#timers.size >= MAX_TIMERS)) return
    clearTimeout(before?.timer)
    const { firstMs, longestMs } = this.#pauses
    const pauseMs = before ? Math.min(before.pauseMs * 2, longestMs) : firstMs
    const timer = setTimeout(() => this.#retry(project), pauseMs * (0.5 + Math.random() / 2))
    this.#timers.set(project, { timer: timer.unref(), pauseMs })
  }

  clear(project: string): void {
    clearTimeout(this.#timers.get(project)?.timer)
    this.#timers.delete(project)
  }

  close(): void {
    this.#closed = true
    for (const project of [...this.#timers.keys()]) this.clear(project)
  }
}
