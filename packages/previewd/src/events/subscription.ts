import { LaggedError, type ProjectEvent } from '../model/event.ts'

/**
 * The queue between the bus and one reader. It holds at most `limit` live events besides those replayed; past that
 * the reader gets what is queued and then a LaggedError.
 */
export class Subscription implements AsyncIterableIterator<ProjectEvent> {
  readonly #queue: ProjectEvent[]
  readonly #limit: number
  readonly #onEnd: () => void
  #waiting: PromiseWithResolvers<IteratorResult<ProjectEvent>>[] = []
  #state: 'open' | 'lagged' | 'ended' = 'open'

  constructor(replayed: ProjectEvent[], limit: number, onEnd: () => void) {
    this.#queue = replayed
    this.#limit = limit + replayed.length
    this.#onEnd = onEnd
  }

  push(event: ProjectEvent): void {
    if (this.#state !== 'open') return
    const reader = this.#waiting.shift()
    if (reader) reader.resolve({ value: event, done: false })
    else if (this.#queue.length < this.#limit) this.#queue.push(event)
    else {
      this.#state = 'lagged'
      this.#onEnd()
    }
  }

  /** Ends the iteration at once; what is queued is dropped. */
  end(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#queue.length = 0
    this.#onEnd()
    for (const reader of this.#waiting.splice(0)) reader.resolve({ value: undefined, done: true })
  }

  next(): Promise<IteratorResult<ProjectEvent>> {
    const event = this.#queue.shift()
    if (event) return Promise.resolve({ value: event, done: false })
    if (this.#state === 'ended') return Promise.resolve({ value: undefined, done: true })
    if (this.#state === 'lagged') {
      this.#state = 'ended'
      return Promise.reject(new LaggedError())
    }
    const waiting = Promise.withResolvers<IteratorResult<ProjectEvent>>()
    this.#waiting.push(waiting)
    return waiting.promise
  }

  return(): Promise<IteratorResult<ProjectEvent>> {
    this.end()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.end()
    return Promise.resolve()
  }
}
