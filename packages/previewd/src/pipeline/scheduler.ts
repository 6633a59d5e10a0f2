import { PreviewdError } from '../errors.ts'

/** What one build is asked to do; `revision` grows while it waits. */
export interface Ticket {
  readonly project: string
  readonly buildId: string
  revision: number
}

/** Work of a run that outlives its slot: it gives way when the project builds anew. */
export interface Rest {
  done: Promise<void>
  interrupt(): void
}

export interface SchedulerOptions<T extends Ticket> {
  /** Runs side by side, of different projects. */
  concurrency: number
  /** Projects that may wait. */
  queueLimit: number
  /** Must not reject. */
  run: (ticket: T, signal: AbortSignal) => Promise<Rest | undefined>
}

interface Lane<T> {
  running?: { ticket: T; abort: AbortController; ended: Promise<void> }
  waiting?: T
  rest?: Rest
}

/**
 * The queue of builds: at most one running and one waiting for each project. A newer revision joins the one that
 * waits, so that a burst of changes costs two builds. Projects take turns in the order in which they began to wait;
 * one whose build has just ended goes to the end of the line.
 *
 * What is left of a run when it gives its slot back (type checks) goes on beside the builds, for one project at a
 * time; further ones keep the next build waiting, so that the number of workers stays bounded.
 */
export class Scheduler<T extends Ticket> {
  readonly #options: SchedulerOptions<T>
  readonly #lanes = new Map<string, Lane<T>>()
  /** Projects with a waiting ticket and none running, first come first. */
  readonly #line = new Set<string>()
  #running = 0
  #resting = 0
  #paused = false

  constructor(options: SchedulerOptions<T>) {
    this.#options = options
  }

  running(project: string): T | undefined {
    return this.#lanes.get(project)?.running?.ticket
  }

  waiting(project: string): T | undefined {
    return this.#lanes.get(project)?.waiting
  }

  /** Projects that wait, and runs. */
  get load(): { waiting: number; running: number } {
    let waiting = 0
    for (const lane of this.#lanes.values()) if (lane.waiting) waiting++
    return { waiting, running: this.#running }
  }

  /** Rejects with QUEUE_FULL where a request for this project could not wait. */
  checkRoom(project: string): void {
    if (this.waiting(project) || this.load.waiting < this.#options.queueLimit) return
    throw new PreviewdError('QUEUE_FULL', 'Too many builds are waiting; try again later.')
  }

  /**
   * The ticket that will build the revision: the running one where it has it (unless `fresh`), the waiting one, else
   * a new one, made by `create`.
   */
  request(project: string, revision: number, create: () => T, fresh = false): T {
    const { running, waiting } = this.#lanes.get(project) ?? {}
    if (running && !fresh && running.ticket.revision >= revision) return running.ticket
    if (waiting) {
      waiting.revision = Math.max(waiting.revision, revision)
      return waiting
    }
    const ticket = create()
    const lane = this.#lane(project)
    lane.waiting = ticket
    lane.rest?.interrupt()
    if (!lane.running) this.#line.add(project)
    // Not at once: the caller has to see its ticket wait first.
    queueMicrotask(() => this.#startNext())
    return ticket
  }

  /**
   * Says that the running build has this revision, which may be newer than what it was asked for. Returns the waiting
   * ticket that is not needed any more for that.
   */
  covers(ticket: T, revision: number): T | undefined {
    const lane = this.#lane(ticket.project)
    ticket.revision = revision
    if (!lane.waiting || lane.waiting.revision > revision) return undefined
    return this.#takeWaiting(ticket.project, lane)
  }

  /** Takes a waiting ticket out of the line (and returns it), or aborts the running one. */
  cancel(project: string, buildId: string): T | undefined {
    const lane = this.#lanes.get(project)
    if (lane?.running?.ticket.buildId === buildId) lane.running.abort.abort()
    return lane?.waiting?.buildId === buildId ? this.#takeWaiting(project, lane) : undefined
  }

  /** Aborts all that runs for a project; resolves when it has ended. Returns the ticket that waited. */
  async clear(project: string): Promise<T | undefined> {
    const lane = this.#lanes.get(project)
    if (!lane) return undefined
    const waited = this.#takeWaiting(project, lane)
    lane.running?.abort.abort()
    await lane.running?.ended
    lane.rest?.interrupt()
    await lane.rest?.done
    return waited
  }

  /** Starts nothing more; resolves when nothing runs. With a reason, what runs is aborted for it. */
  async pause(abortReason?: string): Promise<void> {
    this.#paused = true
    const lanes = [...this.#lanes.values()]
    for (const lane of lanes) {
      if (abortReason !== undefined) lane.running?.abort.abort(abortReason)
      lane.rest?.interrupt()
    }
    // A rest that begins while nothing may start any more is interrupted where it begins.
    await Promise.all(lanes.map((lane) => lane.running?.ended))
    await Promise.all(lanes.map((lane) => lane.rest?.done))
  }

  #lane(project: string): Lane<T> {
    const lane = this.#lanes.get(project) ?? {}
    this.#lanes.set(project, lane)
    return lane
  }

  #takeWaiting(project: string, lane: Lane<T>): T | undefined {
    const { waiting } = lane
    delete lane.waiting
    this.#line.delete(project)
    this.#forget(project, lane)
    return waiting
  }

  #startNext(): void {
    const { concurrency } = this.#options
    while (!this.#paused && this.#running < concurrency && this.#running + this.#resting <= concurrency) {
      const [project] = this.#line
      if (project === undefined) return
      this.#line.delete(project)
      this.#start(project, this.#lane(project))
    }
  }

  #start(project: string, lane: Lane<T>): void {
    const ticket = lane.waiting
    if (!ticket) return
    delete lane.waiting
    this.#running++
    const abort = new AbortController()
    lane.running = { ticket, abort, ended: this.#run(project, lane, ticket, abort.signal) }
  }

  async #run(project: string, lane: Lane<T>, ticket: T, signal: AbortSignal): Promise<void> {
    await lane.rest?.done
    const rest = await this.#options.run(ticket, signal)
    delete lane.running
    this.#running--
    if (rest) this.#keepRest(project, lane, rest)
    if (lane.waiting) this.#line.add(project)
    this.#forget(project, lane)
    this.#startNext()
  }

  #keepRest(project: string, lane: Lane<T>, rest: Rest): void {
    this.#resting++
    lane.rest = rest
    if (lane.waiting || this.#paused) rest.interrupt()
    void rest.done.then(() => {
      this.#resting--
      delete lane.rest
      this.#forget(project, lane)
      this.#startNext()
    })
  }

  #forget(project: string, lane: Lane<T>): void {
    if (!lane.running && !lane.waiting && !lane.rest) this.#lanes.delete(project)
  }
}
