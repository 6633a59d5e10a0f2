/** Host uids of workers: one for each slot, so that a worker that breaks out owns nothing of its neighbours. */
export const FIRST_WORKER_UID = 870_000
/** Owns the package store. */
export const INSTALLER_UID = 869_999

/** Places for workers. A slot is given back only when nothing runs under its uid any more. */
export class Slots {
  readonly #free: number[]
  readonly #waiting: { give: (slot: number) => void; refuse: (cause: unknown) => void }[] = []
  #closed: Error | undefined

  constructor(count: number) {
    this.#free = Array.from({ length: count }, (_, index) => count - 1 - index)
  }

  get hasFree(): boolean {
    return this.#free.length > 0
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** A free slot; waits in order. Rejects with the signal's reason, or when the slots are closed. */
  async take(signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted()
    if (this.#closed) throw this.#closed
    const slot = this.#free.pop()
    if (slot !== undefined) return slot
    return await new Promise<number>((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(signal?.reason)
      }
      const settled = () => signal?.removeEventListener('abort', onAbort)
      const waiter = {
        give: (given: number) => {
          settled()
          resolve(given)
        },
        refuse: (cause: unknown) => {
          settled()
          reject(cause)
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiter)
    })
  }

  give(slot: number): void {
    const next = this.#waiting.shift()
    if (next) next.give(slot)
    else this.#free.push(slot)
  }

  /** Refuses those who wait and those who come. */
  close(cause: Error): void {
    this.#closed = cause
    for (const waiter of this.#waiting.splice(0)) waiter.refuse(cause)
  }
}
