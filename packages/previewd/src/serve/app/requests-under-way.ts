import type { ServerResponse } from 'node:http'

/** Of one project: its server answers a few hundred at once, or none of them well. */
const MAX_REQUESTS = 512

/** Bounds the requests that servers of builds have, or that wait for one to wake: anybody may send them. */
export class RequestsUnderWay {
  readonly #counts = new Map<string, number>()

  /** False where there are too many; else the request counts until its answer is over. */
  begin(project: string, res: ServerResponse): boolean {
    const count = this.#counts.get(project) ?? 0
    if (count >= MAX_REQUESTS) return false
    this.#counts.set(project, count + 1)
    res.once('close', () => {
      const left = (this.#counts.get(project) ?? 1) - 1
      if (left > 0) this.#counts.set(project, left)
      else this.#counts.delete(project)
    })
    return true
  }
}
