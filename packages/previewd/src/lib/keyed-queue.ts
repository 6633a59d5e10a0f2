/** Runs tasks of the same key one after the other, in order, and tasks of different keys side by side. */
export class KeyedQueue {
  readonly #limit: number
  readonly #onFull: (key: string) => Error
  readonly #keys = new Map<string, { tail: Promise<unknown>; count: number }>()

  /** At most `limit` tasks of one key run or wait; `onFull` makes the error that another one is refused with. */
  constructor(limit: number, onFull: (key: string) => Error) {
    this.#limit = limit
    this.#onFull = onFull
  }

  /** Tasks of the key that run or wait. */
  count(key: string): number {
    return this.#keys.get(key)?.count ?? 0
  }

  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const lane = this.#keys.get(key) ?? { tail: Promise.resolve(), count: 0 }
    if (lane.count >= this.#limit) throw this.#onFull(key)
    lane.count++
    this.#keys.set(key, lane)
    const result = lane.tail.then(task)
    lane.tail = result.then(ignore, ignore)
    try {
      return await result
    } finally {
      if (--lane.count === 0) this.#keys.delete(key)
    }
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    while (this.#keys.size > 0) await Promise.all([...this.#keys.values()].map((lane) => lane.tail))
  }
}

/** The caller of `run` gets the outcome; the lane only waits for the end. */
function ignore(): void {
  return
}
