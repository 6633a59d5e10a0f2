import type { ComingRevision, Snapshot } from './files.ts'
import type { NodeChoice } from './node-version.ts'
import type { ProjectSettings } from './project.ts'
import type { DevTask, DevUpdate } from './worker.ts'

export type SessionState = 'off' | 'starting' | 'live' | 'error'

/** A session as the API shows it. */
export interface SessionView {
  state: SessionState
  /** The revision that the dev server has. */
  revision?: number
  viewers: number
  startedAt?: string
  /** How long the last start took, until the dev server answered. */
  startMs?: number
  /** Whether a worker that was made ready ahead was there for that start. */
  pool?: 'hit' | 'miss'
  memoryBytes?: number
  /** Crashes since it was started. */
  restarts: number
  /** Why it is in `error`, or why it ended last. */
  reason?: string
}

/** What a page of a session says of itself; words of the app. */
export interface Painted {
  revision: number
  at: string
  errors: number
  visible: boolean
}

/** The pages that show a session, as their client script reports them. */
export interface Viewers {
  count(project: string): number
  painted(project: string): Painted | undefined
  /**
   * True where what was painted last follows no edit, and a page of the session is to come: the published build, or a
   * page of another dev server than that of this generation.
   */
  isChangingOver(project: string, generation: string | undefined): boolean
  /** Calls back when one of these changed for a project; returns the function that ends it. */
  listen(listener: (project: string) => void): () => void
  /** Drops what was reported of a project that is no more. */
  forget(project: string): void
}

/** One thing that a page asked a dev server for. */
export interface PageRequest {
  /** Path and query, without the time of an update. */
  url: string
  /** What the browser took for an answer, on which the answer depends: a page, a stylesheet, or whatever it is. */
  accept: 'page' | 'style' | 'any'
  /** It was imported as a module. */
  isModule: boolean
}

/** What the pages of sessions asked for, and got. */
export interface PageRequests {
  of(project: string): readonly PageRequest[]
  /** Of a project that is deleted: another one may get its name. */
  forget(project: string): void
}

/** An answer of a dev server, as it was given: project code wrote it. */
export interface RecordedAnswer {
  /** Name and value by turns. */
  headers: readonly string[]
  body: Buffer
  /** The body is compressed, which the headers do not say. */
  isGzipped: boolean
}

/** The last page of a session that sleeps or wakes, as far as it is that of the revision that the project has now. */
export interface RecordedPage {
  readonly revision: number
  /** Nothing of it has changed since it was recorded; what has, the dev server alone can answer. */
  readonly isWhole: boolean
  /** See {@link SessionAddress}. */
  readonly generation: string
  /** Addresses of the modules that the page imports, in the order in which it came to them. */
  readonly modules: readonly string[]
  find(request: PageRequest): Promise<RecordedAnswer | undefined>
}

/** Where the dev server of a session is. */
export interface SessionAddress {
  socket: string
  revision: number
  /** Pages of another generation have modules that this dev server does not know, and must be loaded anew. */
  generation: string
}

/** How a project is served while it is edited, or in one sentence why it cannot be. */
export type DevPlan =
  /** Without a node: the server's own. */
  { root: string; task: DevTask; node?: NodeChoice } | { unavailable: string }

/** What comes of it depends on the settings, on which files there are, and on what package.json and `.nvmrc` say. */
export type PlanDev = (snapshot: Snapshot, settings: ProjectSettings) => Promise<DevPlan>

/** Live dev servers, at most one for each project. */
export interface Sessions {
  /** Starts it, or keeps it alive; answers at once. Errors: QUEUE_FULL where there is no room, SANDBOX_UNAVAILABLE. */
  ensure(project: string): SessionView
  /** Starts it again where it went to sleep by itself; for editors who look at it. Where there is no room, it sleeps on. */
  wake(project: string): void
  /** Ends it; resolves when its worker is gone. What would shorten its next start is kept, unless `keep` is false. */
  stop(project: string, reason: string, options?: { keep?: boolean }): Promise<void>
  view(project: string): SessionView
  /** Where the gateway sends an editor's requests; undefined unless it is live. Counts as use. */
  address(project: string): SessionAddress | undefined
  /** The same, of a session that starts as soon as it is live; undefined where it does not come to that. */
  untilLive(project: string): Promise<SessionAddress | undefined>
  /** What its page can be shown from while it wakes, and until something changes then; undefined where there is nothing. */
  recorded(project: string): Promise<RecordedPage | undefined>
  /**
   * Brings the newest files and settings into a session, as soon as it is live; one that is in `error` is started
   * again with them, and so is one that is off because there was nothing to serve, once there is. Undefined where none
   * is live afterwards. Problems of the session are its own: this never rejects.
   * `installed`: dependencies that could not be had before may be there now; nothing else is new.
   */
  apply(project: string, options?: { installed?: boolean }): Promise<DevUpdate | undefined>
  /**
   * Lets open pages show a revision while it is being made durable, where nothing but edits of files are in it; they
   * are told its number by the `apply` that follows. What does not become a revision is taken back.
   */
  foresee(project: string, coming: ComingRevision): void
  /** Sessions that wait for a place, start, are live or in error. */
  counts(): Readonly<Record<Exclude<SessionState, 'off'>, number>>
  close(): Promise<void>
}
