import { PreviewdError } from '../errors.ts'

const MAX_WATCHERS = 10_000

/** Wakes those who wait for something to happen to a project. */
export class Watchers {
  readonly #waking = new Map<string, Set<() => void>>()
  #count = 0

  notify(project: string): void {
    for (const wake of this.#waking.get(project) ?? []) wake()
  }

  /**
   * Resolves to true as soon as `reached` says so; it is asked now and after every change. False when the time is
   * over or the signal aborts. Rejects with OVERLOADED where too many wait, and with what `reached` throws.
   */
  async until(
    project: string,
    reached: () => boolean,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<boolean> {
    if (reached()) return true
    if (signal?.aborted) return false
    if (this.#count >= MAX_WATCHERS)
      throw new PreviewdError('OVERLOADED', 'Too many calls are waiting for builds.')
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    const wake = () => {
      try {
        if (reached()) resolve(true)
      } catch (error) {
        reject(error)
      }
    }
    const giveUp = () => resolve(false)
    const timer = setTimeout(giveUp, timeoutMs)
    signal?.addEventListener('abort', giveUp, { once: true })
    this.#add(project, wake)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
      this.#remove(project, wake)
    }
  }

  #add(project: string, wake: () => void): void {
    const waking = this.#waking.get(project) ?? new Set()
    waking.add(wake)
    this.#waking.set(project, waking)
    this.#count++
  }

  #remove(project: string, wake: () => void): void {
    const waking = this.#waking.get(project)
    waking?.delete(wake)
    if (waking?.size === 0) this.#waking.delete(project)
    this.#count--
  }
}
