import { availableParallelism } from 'node:os'
import { LRUCache } from 'lru-cache'
import { PreviewdError } from '../errors.ts'
import type { EventBus } from '../model/event.ts'
import type { ComingRevision } from '../model/files.ts'
import type {
  PageRequests,
  RecordedPage,
  SessionAddress,
  Sessions,
  SessionView,
  Viewers,
} from '../model/session.ts'
import type { DevUpdate } from '../model/worker.ts'
import { KeptFiles } from './kept/kept-files.ts'
import { SharedBundles } from './kept/shared-bundles.ts'
import { Session } from './session.ts'
import { fitsAnother, shortage } from './session-memory.ts'
import type { SessionParts } from './session-parts.ts'

export interface SessionsOptions extends Omit<SessionParts, 'now' | 'kept' | 'shared' | 'requests'> {
  dataDir: string
  /** What pages ask for; without, no page is kept. */
  requests?: PageRequests | undefined
  /** Sessions with a worker, at the same time. */
  max: number
  /** A session that nobody uses for so long ends. */
  idleMs: number
  /** Memory that is left for all that runs; without, only their number is bounded. */
  leftBytes?: () => number
  events: EventBus
  viewers?: Viewers | undefined
  /** Milliseconds; the clock by default. */
  now?: () => number
}

const SWEEP_MS = 1000
/** Each keeps a processor busy; more of them would only be slower, all of them. */
const MAX_STARTING = Math.max(2, availableParallelism())
/** Sessions that may wait for a place. */
const MAX_WAITING = 100
const MAX_WAIT_MS = 120_000
/** A session is not put to sleep for another one before it was left alone for this long. */
const KEPT_MS = 10_000
const MAX_REMEMBERED = 1000
const ASLEEP = 'Asleep:'
const NO_REQUESTS: PageRequests = { of: () => [], forget: () => undefined }

export function createSessions(options: SessionsOptions): LiveSessions {
  return new LiveSessions(options)
}

/** Live dev servers; see {@link Sessions}. Those used longest ago sleep first where there are too many. */
export class LiveSessions implements Sessions {
  readonly #options: SessionsOptions
  readonly #parts: SessionParts
  readonly #sessions = new Map<string, Session>()
  /** In the order in which they began to wait. */
  readonly #waiting = new Set<Session>()
  /** Sessions that have a worker, or had one that is still ending. */
  readonly #placed = new Set<Session>()
  readonly #last = new LRUCache<string, Omit<SessionView, 'viewers'>>({ max: MAX_REMEMBERED })
  /** Projects that a session was asked for, when they had nothing to serve. */
  readonly #unservable = new LRUCache<string, true>({ max: MAX_REMEMBERED })
  readonly #timer: NodeJS.Timeout
  #closed = false

  constructor(options: SessionsOptions) {
    this.#options = options
    const { dataDir, requests = NO_REQUESTS, now = Date.now } = options
    const [kept, shared] = [new KeptFiles(dataDir), new SharedBundles(dataDir)]
    this.#parts = { ...options, requests, now, kept, shared }
    this.#timer = setInterval(() => void this.sweep(), SWEEP_MS).unref()
  }

  ensure(project: string): SessionView {
    if (this.#closed) throw new PreviewdError('SHUTTING_DOWN', 'The server is ending; try again.')
    const session = this.#sessions.get(project)
    session?.use()
    if (!session || (session.state === 'error' && session.mayRetry)) {
      if (!this.#hasRoom())
        throw new PreviewdError('QUEUE_FULL', 'Too many sessions wait for a place; try again later.')
      this.#enqueue(session ?? this.#create(project))
    }
    return this.view(project)
  }

  wake(project: string): void {
    if (!this.#sessions.has(project)) void this.#wakeAsleep(project)
  }

  async stop(project: string, reason: string, { keep = true } = {}): Promise<void> {
    const session = this.#sessions.get(project)
    this.#unservable.delete(project)
    if (session) await this.#end(session, reason, keep)
    if (keep) return await this.#note(project, false)
    this.#last.delete(project)
    this.#options.requests?.forget(project)
  }

  view(project: string): SessionView {
    const viewers = this.#options.viewers?.count(project) ?? 0
    const last = this.#sessions.get(project)?.view() ?? this.#last.get(project)
    return { state: 'off', restarts: 0, ...last, viewers }
  }

  address(project: string): SessionAddress | undefined {
    const session = this.#sessions.get(project)
    session?.use()
    return session?.address
  }

  async untilLive(project: string): Promise<SessionAddress | undefined> {
    await this.#sessions.get(project)?.settled
    return this.address(project)
  }

  async recorded(project: string): Promise<RecordedPage | undefined> {
    const session = this.#sessions.get(project)
    session?.use()
    return await session?.recorded()
  }

  async apply(project: string, { installed = false } = {}): Promise<DevUpdate | undefined> {
    if (this.#unservable.has(project) && (await this.#isServable(project))) this.#comeBack(project)
    const session = this.#sessions.get(project)
    const mayStart = session?.state === 'error' && (!installed || session.lacksPackages)
    if (mayStart && this.#hasRoom()) this.#enqueue(session, { afresh: true })
    return await session?.apply(installed)
  }

  foresee(project: string, coming: ComingRevision): void {
    this.#sessions.get(project)?.foresee(coming)
  }

  counts() {
    const counts = { starting: 0, live: 0, error: 0 }
    for (const { state } of this.#sessions.values()) if (state !== 'off') counts[state]++
    return counts
  }

  /** Ends what nobody uses, gives places to those who wait, and measures. Called every second. */
  async sweep(): Promise<void> {
    const { idleMs, onError } = this.#options
    const now = this.#parts.now()
    try {
      for (const session of [...this.#sessions.values()]) {
        if (this.#isWatched(session)) session.use()
        if (this.#waiting.has(session)) this.#endLongWait(session, now)
        else if (session.state !== 'starting' && now - session.usedAt >= idleMs) {
          await this.#end(session, `${ASLEEP} nobody used it for ${Math.round(idleMs / 60_000)} minutes.`)
        } else if (session.state === 'live') await session.measure()
      }
      this.#relieve()
      this.#fill()
    } catch (error) {
      onError(error, 'Sessions could not be looked after.')
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    const reason = `${ASLEEP} the server ended.`
    const ends = [...this.#sessions.values()].map((session) => this.#end(session, reason))
    await Promise.all([...ends, this.#parts.shared.close()])
  }

  async #wakeAsleep(project: string): Promise<void> {
    const last = this.#last.get(project)
    // How one ended long ago, or before a restart, is not known any more, but whether somebody stopped it.
    const sleeps = last ? last.reason?.startsWith(ASLEEP) : await this.#parts.kept.isWanted(project)
    const mayStart = !this.#closed && !this.#sessions.has(project) && this.#hasRoom()
    if (sleeps && mayStart) this.ensure(project)
  }

  async #note(project: string, isWanted: boolean): Promise<void> {
    try {
      await this.#parts.kept.setWanted(project, isWanted)
    } catch (error) {
      // It may be deleted meanwhile, or have no files yet.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      this.#options.onError(error, `Whether project ${project} has a session could not be noted.`)
    }
  }

  async #isServable(project: string): Promise<boolean> {
    const { plan, projects, files, onError } = this.#parts
    const settings = projects.get(project)?.settings
    if (!settings) return false
    try {
      await using snapshot = await files.snapshot(project)
      return !('unavailable' in (await plan(snapshot, settings)))
    } catch (error) {
      onError(error, `It could not be found out how to serve project ${project}.`)
      return false
    }
  }

  /** Unless it was stopped meanwhile, or nothing more may start. */
  #comeBack(project: string): void {
    if (this.#unservable.has(project) && !this.#closed && this.#hasRoom()) this.ensure(project)
  }

  #create(project: string): Session {
    const session: Session = new Session(this.#parts, project, {
      changed: () => this.#tell(session),
      released: () => this.#release(session),
    })
    this.#sessions.set(project, session)
    this.#unservable.delete(project)
    void this.#note(project, true)
    return session
  }

  #enqueue(session: Session, { afresh = false } = {}): void {
    this.#waiting.add(session)
    session.wait({ afresh })
    this.#fill()
  }

  #hasRoom(): boolean {
    return this.#waiting.size < MAX_WAITING
  }

  #fill(): void {
    for (const session of this.#waiting) {
      if (this.#closed || this.#isStartingMany() || !this.#hasPlace()) break
      this.#waiting.delete(session)
      this.#placed.add(session)
      session.begin()
    }
    if (this.#waiting.size > 0 && !this.#hasPlace()) this.#makePlace('another project needed its place.')
  }

  #isStartingMany(): boolean {
    return this.#starting() >= MAX_STARTING
  }

  #starting(): number {
    return [...this.#placed].filter(({ state }) => state === 'starting').length
  }

  #hasPlace(): boolean {
    const { max, leftBytes = () => Infinity } = this.#options
    if (this.#placed.size >= max) return false
    const held = [...this.#placed].flatMap((session) => session.view().memoryBytes ?? [])
    return this.#placed.size === 0 || fitsAnother(leftBytes(), held, this.#starting())
  }

  /** Where memory runs short, whatever for. */
  #relieve(): void {
    const short = shortage(this.#options.leftBytes?.() ?? Infinity)
    if (short !== 'none') this.#makePlace('the server is short of memory.', short === 'any')
  }

  /** Puts the one to sleep that was used longest ago, unless one is going already; one in use only where it must be. */
  #makePlace(reason: string, evenInUse = false): void {
    const placed = [...this.#placed]
    if (placed.some(({ isStopped }) => isStopped)) return
    const latest = this.#parts.now() - KEPT_MS
    const mayGo = (session: Session) => session.usedAt <= latest && !this.#isWatched(session)
    const live = placed.filter(({ state }) => state === 'live').sort((a, b) => a.usedAt - b.usedAt)
    const oldest = live.find(mayGo) ?? (evenInUse ? live[0] : undefined)
    if (oldest) void this.#end(oldest, `${ASLEEP} ${reason}`)
  }

  #endLongWait(session: Session, now: number): void {
    if (now - session.since < MAX_WAIT_MS) return
    this.#waiting.delete(session)
    session.fail('There is no room: all sessions of this server are in use.')
  }

  #isWatched({ project }: Session): boolean {
    return (this.#options.viewers?.count(project) ?? 0) > 0
  }

  /** Resolves when its worker is gone. */
  async #end(session: Session, reason: string, keep = true): Promise<void> {
    this.#waiting.delete(session)
    try {
      await session.stop(reason, { keep })
    } catch (error) {
      this.#options.onError(error, `The session of project ${session.project} could not be ended.`)
    }
    this.#release(session)
  }

  #release(session: Session): void {
    this.#placed.delete(session)
    this.#fill()
  }

  #tell(session: Session): void {
    const { project } = session
    if (session.state === 'off' && this.#sessions.get(project) === session) {
      this.#sessions.delete(project)
      this.#last.set(project, session.view())
      if (session.isUnservable) this.#unservable.set(project, true)
    }
    this.#options.events.publish('session', project, this.view(project))
    // Another one may start now.
    if (session.state !== 'starting' && this.#waiting.size > 0) this.#fill()
  }
}
