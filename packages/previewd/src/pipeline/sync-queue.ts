import { setMaxListeners } from 'node:events'
import PQueue from 'p-queue'
import { PreviewdError } from '../errors.ts'

/** Syncs of one lane that run beside one another, each with some downloads. */
const AT_ONCE = 6
const WAITING = 1000

interface Turn<R, T> {
  request: R
  outcome: Promise<T>
}

interface Work<R, T> {
  run: (project: string, request: R, signal: AbortSignal) => Promise<T>
  /** One request that asks for both. */
  join: (a: R, b: R) => R
  /** One of few names: a store that hangs holds up what is in its lane, and nothing else. */
  laneOf: (project: string) => string
}

/**
 * Puts syncs into one order per project: one runs, one waits, and what is asked for meanwhile joins the one that waits,
 * since it will see the source as it is then.
 */
export class SyncQueue<R, T> {
  readonly #work: Work<R, T>
  readonly #lanes = new Map<string, PQueue>()
  readonly #running = new Map<string, { ended: Promise<unknown>; controller: AbortController }>()
  readonly #waiting = new Map<string, Turn<R, T>>()
  #closing = false

  constructor(work: Work<R, T>) {
    this.#work = work
  }

  add(project: string, request: R): Promise<T> {
    if (this.#closing) return Promise.reject(ending())
    const waiting = this.#waiting.get(project)
    if (waiting) {
      waiting.request = this.#work.join(waiting.request, request)
      return waiting.outcome
    }
    if (this.#waiting.size >= WAITING) {
      return Promise.reject(new PreviewdError('OVERLOADED', 'Too many syncs are waiting.'))
    }
    const { promise: outcome, resolve } = Promise.withResolvers<T>()
    const turn: Turn<R, T> = { request, outcome }
    this.#waiting.set(project, turn)
    resolve(this.#takeTurn(project, turn))
    return outcome
  }

  /** Ends the syncs of a project; resolves when none runs. */
  async clear(project: string): Promise<void> {
    const running = this.#running.get(project)
    running?.controller.abort(new PreviewdError('PROJECT_NOT_FOUND', 'The project was deleted.'))
    await running?.ended
  }

  /** Refuses more, and ends what runs. */
  async close(): Promise<void> {
    this.#closing = true
    for (const { controller } of this.#running.values()) controller.abort(ending())
    await Promise.all([...this.#running.values()].map(({ ended }) => ended))
  }

  async #takeTurn(project: string, turn: Turn<R, T>): Promise<T> {
    while (this.#running.has(project)) await this.#running.get(project)?.ended
    const controller = new AbortController()
    // Every request of the sync listens to it.
    setMaxListeners(0, controller.signal)
    const result = this.#lane(project).add(() => {
      this.#waiting.delete(project)
      controller.signal.throwIfAborted()
      if (this.#closing) throw ending()
      return this.#work.run(project, turn.request, controller.signal)
    })
    const ended = result.then(ignore, ignore).then(() => {
      this.#running.delete(project)
    })
    this.#running.set(project, { ended, controller })
    return result
  }

  #lane(project: string): PQueue {
    const name = this.#work.laneOf(project)
    const lane = this.#lanes.get(name) ?? new PQueue({ concurrency: AT_ONCE })
    this.#lanes.set(name, lane)
    return lane
  }
}

function ending(): PreviewdError {
  return new PreviewdError('SHUTTING_DOWN', 'The server is ending; try again.')
}

/** Callers get the outcome; the queue only waits for the end. */
function ignore(): void {
  return
}
