import PQueue from 'p-queue'

/**
 * Work that follows a publish and that nobody waits for: one task at a time, and one waiting for each project, since
 * a newer task does what an older one would have done.
 */
export class Afterwork {
  readonly #queue = new PQueue({ concurrency: 1 })
  readonly #waiting = new Map<string, () => Promise<void>>()
  readonly #ends = new Map<string, Promise<void>>()
  readonly #onError: (error: unknown, what: string) => void

  constructor(onError: (error: unknown, what: string) => void) {
    this.#onError = onError
  }

  add(project: string, task: () => Promise<void>): void {
    const queued = this.#waiting.has(project)
    this.#waiting.set(project, task)
    if (queued) return
    const end = this.#queue.add(() => this.#runNewest(project))
    this.#ends.set(project, end)
    void end.then(() => {
      if (this.#ends.get(project) === end) this.#ends.delete(project)
    })
  }

  /** Forgets what waits for a project; resolves when nothing runs for it. */
  async clear(project: string): Promise<void> {
    if (this.#waiting.has(project)) this.#waiting.set(project, async () => undefined)
    await this.#ends.get(project)
  }

  /** Forgets all that waits; resolves when nothing runs. */
  async close(): Promise<void> {
    for (const project of this.#waiting.keys()) this.#waiting.set(project, async () => undefined)
    await this.#queue.onIdle()
  }

  async #runNewest(project: string): Promise<void> {
    const task = this.#waiting.get(project)
    this.#waiting.delete(project)
    try {
      await task?.()
    } catch (error) {
      this.#onError(error, `Work after a publish of project ${project} failed.`)
    }
  }
}
