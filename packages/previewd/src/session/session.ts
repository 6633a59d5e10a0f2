import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { PreviewdError } from '../errors.ts'
import type { ComingRevision, Snapshot } from '../model/files.ts'
import type { ProjectSettings } from '../model/project.ts'
import type { RecordedPage, SessionAddress, SessionState, SessionView } from '../model/session.ts'
import { type DevUpdate, WorkerError } from '../model/worker.ts'
import { Attempts } from './attempts.ts'
import { changePackages, changeWhatThereIs, isPlainEdit } from './changes.ts'
import { planServing, prepareSpec, type RootedServing, Unavailable } from './dev-spec.ts'
import { DevServerFailed, DevWorker, type DevWorkerSpec } from './dev-worker.ts'
import { LastPage } from './kept/last-page.ts'
import type { SessionEvents, SessionParts } from './session-parts.ts'
import { Settled } from './settled.ts'

/**
 * The dev server of one project, from its first start to its end. All that happens to it happens one after the other;
 * `stop` interrupts.
 */
export class Session {
  readonly project: string
  readonly #parts: SessionParts
  readonly #events: SessionEvents
  readonly #attempts: Attempts
  readonly #life = new AbortController()
  readonly #lastPage: LastPage
  #state: SessionState = 'starting'
  #turn: Promise<unknown> = Promise.resolve()
  /** Resolved whenever it is neither waiting nor starting. */
  readonly #settled = new Settled()
  #worker: DevWorker | undefined
  #lastUpdate: DevUpdate | undefined
  #reason: string | undefined
  #startedAt: string | undefined
  #startMs: number | undefined
  #pool: SessionView['pool']
  #restarts = 0
  #memoryBytes = 0
  /** Those of the plan by which its worker was started, or found to fit. */
  #settings: ProjectSettings | undefined
  /** The revision of the last start, whatever became of it. */
  #tried = 0
  /** What package.json asks for could not be had; a later try may succeed. */
  #lacksPackages = false
  #isUnservable = false
  #usedAt: number
  /** Since when it has waited for what it waits for now. */
  #since: number

  constructor(parts: SessionParts, project: string, events: SessionEvents) {
    this.project = project
    this.#parts = parts
    this.#events = events
    this.#attempts = new Attempts(parts.now)
    this.#lastPage = new LastPage(parts, project)
    this.#usedAt = parts.now()
    this.#since = parts.now()
  }

  get state(): SessionState {
    return this.#state
  }

  get isStopped(): boolean {
    return this.#state === 'off'
  }

  get usedAt(): number {
    return this.#usedAt
  }

  get since(): number {
    return this.#since
  }

  /** It is in error for want of packages. */
  get lacksPackages(): boolean {
    return this.#lacksPackages
  }

  /** It ended since there was nothing that a dev server could serve. */
  get isUnservable(): boolean {
    return this.#isUnservable
  }

  get mayRetry(): boolean {
    return this.#attempts.mayRetry
  }

  get address(): SessionAddress | undefined {
    const worker = this.#state === 'live' ? this.#worker : undefined
    return (
      worker && {
        socket: worker.server.socket,
        revision: worker.revision,
        generation: worker.generation,
      }
    )
  }

  /** Resolves when it is neither waiting nor starting. */
  get settled(): Promise<void> {
    return this.#settled.promise
  }

  /** See {@link Sessions.recorded}. */
  recorded(): Promise<RecordedPage | undefined> {
    return this.#state === 'starting' || this.#state === 'live' ? this.#lastPage.shown() : NOTHING
  }

  view(): Omit<SessionView, 'viewers'> {
    return {
      state: this.#state,
      restarts: this.#restarts,
      ...(this.#worker && { revision: this.#worker.revision, memoryBytes: this.#memoryBytes }),
      ...(this.#startedAt !== undefined && { startedAt: this.#startedAt }),
      ...(this.#startMs !== undefined && { startMs: this.#startMs }),
      ...(this.#pool !== undefined && { pool: this.#pool }),
      ...(this.#reason !== undefined && { reason: this.#reason }),
    }
  }

  use(): void {
    this.#usedAt = this.#parts.now()
  }

  async measure(): Promise<void> {
    this.#memoryBytes = (await this.#worker?.memoryBytes()) ?? 0
  }

  /** Says that it waits for a place; with new files or settings, earlier failures do not count. */
  wait({ afresh }: { afresh: boolean }): void {
    if (afresh) this.#attempts.forgive()
    this.#lastPage.open()
    this.#become('starting')
  }

  /** Starts; there is a place for it. */
  begin(): void {
    void this.#inTurn(() => this.#start())
  }

  /** See {@link Sessions.apply}. */
  async apply(installed = false): Promise<DevUpdate | undefined> {
    await this.#settled.promise
    return await this.#inTurn(() => this.#bringIn(installed))
  }

  /** See {@link Sessions.foresee}. */
  foresee(coming: ComingRevision): void {
    if (this.#state === 'live') void this.#inTurn(() => this.#goAhead(coming))
  }

  /** Gives up waiting, with a reason that is there to be read for as long as a session that nobody uses. */
  fail(reason: string): void {
    this.use()
    this.#become('error', reason)
  }

  async stop(reason: string, { keep }: { keep: boolean }): Promise<void> {
    const worker = this.#state === 'live' ? this.#worker : undefined
    this.#become('off', reason)
    if (keep && worker) await this.#lastPage.keep(worker)
    this.#life.abort()
    // Not after what is under way: a dev server may hang in it.
    await this.#endWorker()
    await this.#turn
    await this.#lastPage.close()
    await this.#endWorker()
  }

  /** Never rejects: nobody waits for most of what happens here. */
  #inTurn<T>(action: () => Promise<T>): Promise<T | undefined> {
    const turn = this.#turn.then(async () => {
      if (this.isStopped) return undefined
      try {
        return await action()
      } catch (error) {
        this.#parts.onError(error, `The session of project ${this.project} failed.`)
        return undefined
      }
    })
    this.#turn = turn
    return turn
  }

  #become(state: SessionState, reason?: string): void {
    // What ends is not brought back by what was under way.
    if (this.#state === 'off') return
    this.#state = state
    this.#reason = reason
    this.#since = this.#parts.now()
    if (state === 'starting') this.#settled.renew()
    else this.#settled.reach()
    this.#events.changed()
  }

  async #start(): Promise<void> {
    const startedMs = performance.now()
    try {
      const worker = await this.#launch()
      if (this.isStopped) return await worker.stop()
      this.#startMs = Math.round(performance.now() - startedMs)
      this.#pool = worker.pool
      this.#startedAt = new Date(this.#parts.now()).toISOString()
      await this.#lastPage.follow(worker, () => this.#events.changed())
      this.#take(worker)
      this.#lastUpdate = undefined
      this.use()
      this.#become('live')
      // What came while it started.
      if (this.#isBehind(worker.revision)) void this.apply()
    } catch (error) {
      if (this.isStopped) return
      // It may be mended already: what came meanwhile does not come again.
      if (this.#isBehind(this.#tried)) return await this.#start()
      this.#giveUp(error)
    }
  }

  #isBehind(revision: number): boolean {
    const project = this.#parts.projects.get(this.project)
    return project !== undefined && project.revision > revision
  }

  async #launch(): Promise<DevWorker> {
    await using snapshot = await this.#parts.files.snapshot(this.project)
    this.#tried = snapshot.revision
    const plan = await this.#plan(snapshot)
    const spec = await this.#prepare(snapshot, plan)
    const recorded = (await this.#lastPage.current())?.index
    return await DevWorker.start(this.#parts, { ...spec, recorded }, snapshot, this.#life.signal)
  }

  async #plan(snapshot: Snapshot): Promise<RootedServing> {
    const settings = this.#parts.projects.get(this.project)?.settings
    if (!settings) throw new Unavailable('There is no such project.')
    this.#settings = settings
    return await planServing(this.#parts, snapshot, settings)
  }

  async #prepare(snapshot: Snapshot, serving: RootedServing): Promise<DevWorkerSpec> {
    try {
      const spec = await prepareSpec(this.#parts, snapshot, serving, this.#life.signal)
      this.#lacksPackages = false
      return spec
    } catch (error) {
      this.#lacksPackages = true
      throw error
    }
  }

  #take(worker: DevWorker): void {
    this.#worker = worker
    void worker.ended.then((reason) => {
      if (this.#worker === worker && !this.isStopped) void this.#inTurn(() => this.#recover(worker, reason))
    })
  }

  /** After a crash: the same again, later each time, and not for ever. */
  async #recover(crashed: DevWorker, reason: string): Promise<void> {
    if (this.#worker !== crashed) return
    this.#attempts.failed()
    await this.#endWorker()
    const next = this.#attempts.mayRetry ? 'It is started again.' : 'It is left alone, as it ended too often.'
    this.#parts.onLog(this.project, { stream: 'stderr', text: `previewd lost the server. ${reason} ${next}` })
    if (!this.#attempts.mayRetry) {
      this.#become('error', `It ended too often. ${reason}`)
      return this.#events.released()
    }
    this.#restarts++
    this.#become('starting', reason)
    await delay(this.#attempts.pauseMs, undefined, { signal: this.#life.signal }).catch(() => undefined)
    if (!this.isStopped) await this.#start()
  }

  /** One that is gone says so itself; one whose worker did not take a file would go on without it. */
  async #startAnew(worker: DevWorker, { reason, message }: WorkerError): Promise<void> {
    if (reason !== 'ended') await this.#recover(worker, message)
  }

  async #bringIn(installed: boolean): Promise<DevUpdate | undefined> {
    const worker = this.#worker
    if (!worker) return undefined
    this.use()
    try {
      await using snapshot = await this.#parts.files.snapshot(this.project)
      const update = await this.#update(worker, snapshot, installed)
      if (update) this.#lastUpdate = update
      this.#lastUpdate ??= { revision: worker.revision, kind: 'restart', errors: [] }
      return this.#lastUpdate
    } catch (error) {
      if (this.isStopped) return undefined
      if (error instanceof WorkerError) await this.#startAnew(worker, error)
      else {
        await this.#endWorker()
        this.#giveUp(error)
      }
      return undefined
    }
  }

  async #goAhead(coming: ComingRevision): Promise<void> {
    const worker = this.#worker
    if (worker?.revision !== coming.revision - 1 || !isPlainEdit(coming) || this.#lastPage.isAhead) return
    const isDurable = coming.durable.then(
      () => true,
      () => false,
    )
    try {
      await worker.goAhead(coming)
    } catch (error) {
      // A server that is gone is started anew; files that did not fit are tried again with the revision.
      if (!(error instanceof WorkerError)) throw error
    }
    if (!(await isDurable)) await this.#bringIn(false)
  }

  /** Undefined where nothing is new. */
  async #update(worker: DevWorker, snapshot: Snapshot, installed: boolean): Promise<DevUpdate | undefined> {
    const changes = worker.changesTo(snapshot)
    const settings = this.#parts.projects.get(this.project)?.settings
    const mayDiffer = (installed && this.#lacksPackages) || changePackages(changes)
    const mayPlanOtherwise = changeWhatThereIs(changes) || !isDeepStrictEqual(settings, this.#settings)
    const spec =
      mayDiffer || mayPlanOtherwise ? await this.#specAfter(worker, snapshot, mayDiffer) : undefined
    const replaced = spec && (await this.#replace(worker, spec, snapshot))
    if (replaced) return replaced
    // Also without a change: files can be as they were two revisions ago.
    if (snapshot.revision <= worker.revision && changes.length === 0) return undefined
    const update = await worker.update(snapshot, { reload: this.#lastPage.isAhead })
    await this.#lastPage.close()
    this.#events.changed()
    return update
  }

  /** Undefined where the worker fits as it is, or where what it would need instead cannot be had. */
  async #specAfter(
    worker: DevWorker,
    snapshot: Snapshot,
    mayDiffer: boolean,
  ): Promise<DevWorkerSpec | undefined> {
    const plan = await this.#plan(snapshot)
    const { root: _, ...serving } = plan
    const isSame = isDeepStrictEqual(worker.serving, serving)
    if (isSame && !mayDiffer) return undefined
    try {
      const spec = await this.#prepare(snapshot, plan)
      return isSame && spec.environment?.key === worker.environment?.key ? undefined : spec
    } catch (error) {
      // The build of this revision tells what is wrong; until it is mended, the page goes on with what it has.
      if (!(error instanceof DevServerFailed)) throw error
      return undefined
    }
  }

  /** A new worker beside the old one, which stays where the new one fails; open pages find it when the old one goes. */
  async #replace(old: DevWorker, spec: DevWorkerSpec, snapshot: Snapshot): Promise<DevUpdate | undefined> {
    try {
      const worker = await DevWorker.start(this.#parts, spec, snapshot, this.#life.signal)
      if (this.isStopped) await worker.stop()
      else this.#take(worker)
    } catch (error) {
      if (!(error instanceof DevServerFailed)) throw error
      this.#lacksPackages = true
      return undefined
    }
    await old.stop()
    await this.#lastPage.close()
    this.#events.changed()
    return { revision: snapshot.revision, kind: 'restart', errors: [] }
  }

  #giveUp(error: unknown): void {
    void this.#lastPage.close()
    const known = error instanceof PreviewdError || error instanceof DevServerFailed
    this.#isUnservable = error instanceof Unavailable
    if (error instanceof Unavailable) {
      this.#become('off', error.message)
    } else {
      if (!known) this.#parts.onError(error, `The session of project ${this.project} failed.`)
      this.#attempts.failed()
      this.#become('error', known ? error.message : 'The server failed; the session can be started again.')
    }
    this.#events.released()
  }

  async #endWorker(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.stop()
  }
}

const NOTHING = Promise.resolve(undefined)
