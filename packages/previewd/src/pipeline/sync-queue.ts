import { setMaxListeners } from 'node:events'
import PQueue from 'p-queue'
import { PreviewdError } from '../errors.ts'

/** Syncs of one lane that run beside one another, each with some downloads. */
const AT_ONCE = 6
const WAITING = 1000

interface Turn<R, T> {
  request: R
  outcome: Promise<T>
  controller: AbortController
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
    const turn: Turn<R, T> = { request, outcome, controller: new AbortController() }
    this.#waiting.set(project, turn)
    resolve(this.#takeTurn(project, turn))
    return outcome
  }

  /** Ends the syncs of a project, also those that wait; resolves when none runs. */
  async clear(project: string): Promise<void> {
    const reason = new PreviewdError('PROJECT_NOT_FOUND', 'The project was deleted.')
    const running = this.#running.get(project)
    this.#waiting.get(project)?.controller.abort(reason)
    this.#waiting.delete(project)
    running?.controller.abort(reason)
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
    const { controller } = turn
    const { signal } = controller
    signal.throwIfAborted()
    // Every request of the sync listens to it.
    setMaxListeners(0, signal)
    const left = Promise.withResolvers<never>()
    const leave = () => left.reject(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    const inLane = this.#lane(project).add(() => {
      signal.throwIfAborted()
      // It ends by itself from here on, and is waited for.
      signal.removeEventListener('abort', leave)
      this.#waiting.delete(project)
      if (this.#closing) throw ending()
      return this.#work.run(project, turn.request, signal)
    })
    const result = Promise.race([inLane, left.promise])
    const ended = result.then(ignore, ignore).then(() => {
      this.#running.delete(project)
      if (this.#waiting.get(project) === turn) this.#waiting.delete(project)
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
