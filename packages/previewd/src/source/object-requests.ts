import type { Readable } from 'node:stream'
import { judgeAnswer } from './judge-answer.ts'
import type { ObjectSourceOptions } from './object-places.ts'
import { withRetries, writeTimeoutMs } from './retry.ts'
import { watchedBody } from './watched-body.ts'

/** What an object store answered, where it was no success. */
export interface Refusal {
  status: number | undefined
  /** The service's own name of the error. */
  reason: string | undefined
  retryAfter: string | undefined
}

export interface ObjectStore {
  service: string
  /** What it calls a container. */
  noun: string
  /** Reads what its SDK threw; undefined where that is no answer. */
  refusalIn: (error: unknown) => Refusal | undefined
}

/** The requests to one container: tried again where that may help, with errors in words of our own. */
export class ObjectRequests {
  readonly #store: ObjectStore
  readonly #options: ObjectSourceOptions

  constructor(store: ObjectStore, options: ObjectSourceOptions) {
    this.#store = store
    this.#options = options
  }

  /** `sentBytes` is the size of the body that goes with it. */
  attempt<T>(signal: AbortSignal, attempt: (signal: AbortSignal) => Promise<T>, sentBytes = 0): Promise<T> {
    const { service, noun, refusalIn } = this.#store
    const { container, timeoutMs, pauseMs } = this.#options
    const place = `${noun} ${container}`
    const judge = (error: unknown) => {
      return judgeAnswer(error, { service, place, timeoutMs, ...refusalIn(error) })
    }
    return withRetries(attempt, { signal, timeoutMs: writeTimeoutMs(timeoutMs, sentBytes), pauseMs, judge })
  }

  /** The content of an answer. */
  content(path: string, body: Readable, sizeBytes: number, signal: AbortSignal): AsyncIterable<Buffer> {
    const { timeoutMs } = this.#options
    return watchedBody(body, { sizeBytes, timeoutMs, signal, of: { service: this.#store.service, path } })
  }
}
