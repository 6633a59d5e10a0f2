import { setMaxListeners } from 'node:events'
import PQueue from 'p-queue'
import { PreviewdError } from '../errors.ts'
import type { SyncRequest } from '../model/pipeline.ts'

/** Syncs of all projects that run beside one another, each with some downloads. */
const AT_ONCE = 4
const WAITING = 1000
/** Paths that one sync looks at one by one; over it, it compares everything. */
const MAX_PATHS = 20_000

interface Turn<T> {
  request: SyncRequest
  outcome: Promise<T>
}

/**
 * Puts syncs into one order per project: one runs, one waits, and what is asked for meanwhile joins the one that waits,
 * since it will see the source as it is then.
 */
export class SyncQueue<T> {
  readonly #run: (project: string, request: SyncRequest, signal: AbortSignal) => Promise<T>
  readonly #slots = new PQueue({ concurrency: AT_ONCE })
  readonly #running = new Map<string, { ended: Promise<unknown>; controller: AbortController }>()
  readonly #waiting = new Map<string, Turn<T>>()
  #closing = false

  constructor(run: (project: string, request: SyncRequest, signal: AbortSignal) => Promise<T>) {
    this.#run = run
  }

  add(project: string, request: SyncRequest): Promise<T> {
    if (this.#closing) return Promise.reject(ending())
    const waiting = this.#waiting.get(project)
    if (waiting) {
      waiting.request = join(waiting.request, request)
      return waiting.outcome
    }
    if (this.#waiting.size >= WAITING) {
      return Promise.reject(new PreviewdError('OVERLOADED', 'Too many syncs are waiting.'))
    }
    const { promise: outcome, resolve } = Promise.withResolvers<T>()
    const turn: Turn<T> = { request, outcome }
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

  async #takeTurn(project: string, turn: Turn<T>): Promise<T> {
    while (this.#running.has(project)) await this.#running.get(project)?.ended
    const controller = new AbortController()
    // Every request of the sync listens to it.
    setMaxListeners(0, controller.signal)
    const result = this.#slots.add(() => {
      this.#waiting.delete(project)
      controller.signal.throwIfAborted()
      if (this.#closing) throw ending()
      return this.#run(project, turn.request, controller.signal)
    })
    const ended = result.then(ignore, ignore).then(() => {
      this.#running.delete(project)
    })
    this.#running.set(project, { ended, controller })
    return result
  }
}

function join(a: SyncRequest, b: SyncRequest): SyncRequest {
  if (a.paths === undefined || b.paths === undefined) return {}
  const paths = [...new Set([...a.paths, ...b.paths])]
  return paths.length > MAX_PATHS ? {} : { paths }
}

function ending(): PreviewdError {
  return new PreviewdError('SHUTTING_DOWN', 'The server is ending; try again.')
}

/** Callers get the outcome; the queue only waits for the end. */
function ignore(): void {
  return
}
