/** One action for each project that waits until nothing happened for a while. */
export class QuietTimers {
  readonly #waiting = new Map<string, { timer: NodeJS.Timeout; action: () => void }>()

  /** Runs the action after `quietMs`, unless another one takes its place before that. */
  after(project: string, quietMs: number, action: () => void): void {
    this.clear(project)
    this.#waiting.set(project, { timer: setTimeout(() => this.fire(project), quietMs), action })
  }

  /** Runs what waits at once. */
  fire(project: string): void {
    const waiting = this.#waiting.get(project)
    this.clear(project)
    waiting?.action()
  }

  clear(project: string): void {
    clearTimeout(this.#waiting.get(project)?.timer)
    this.#waiting.delete(project)
  }

  close(): void {
    for (const project of [...this.#waiting.keys()]) this.clear(project)
  }
}
