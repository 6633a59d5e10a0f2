/** Whether something has come to rest, for those who wait for that; it may start anew. */
export class Settled {
  #next = Promise.withResolvers<void>()

  get promise(): Promise<void> {
    return this.#next.promise
  }

  reach(): void {
    this.#next.resolve()
  }

  /** Those who wait already go on waiting. */
  renew(): void {
    const next = Promise.withResolvers<void>()
    this.#next.resolve(next.promise)
    this.#next = next
  }
}
