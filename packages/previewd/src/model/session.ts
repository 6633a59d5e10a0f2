import type { Snapshot } from './files.ts'
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
  /** Calls back when either changed for a project; returns the function that ends it. */
  listen(listener: (project: string) => void): () => void
  /** Drops what was reported of a project that is no more. */
  forget(project: string): void
}

/** How a project is served while it is edited, or in one sentence why it cannot be. */
export type DevPlan = { root: string; task: DevTask } | { unavailable: string }

export type PlanDev = (snapshot: Snapshot, settings: ProjectSettings) => Promise<DevPlan>

/** Live dev servers, at most one for each project. */
export interface Sessions {
  /** Starts it, or keeps it alive; answers at once. Errors: QUEUE_FULL where there is no room, SANDBOX_UNAVAILABLE. */
  ensure(project: string): SessionView
  /** Ends it; resolves when its worker is gone. */
  stop(project: string, reason: string): Promise<void>
  view(project: string): SessionView
  /** Where the gateway sends an editor's requests; undefined unless it is live. Counts as use. */
  address(project: string): { socket: string; revision: number } | undefined
  /**
   * Brings the newest files and settings into a session, as soon as it is live; one that is in `error` is started
   * again with them. Undefined where none is live afterwards. Problems of the session are its own: this never rejects.
   * `installed`: dependencies that could not be had before may be there now.
   */
  apply(project: string, options?: { installed?: boolean }): Promise<DevUpdate | undefined>
  /** Sessions that wait for a place, start, are live or in error. */
  counts(): Readonly<Record<Exclude<SessionState, 'off'>, number>>
  close(): Promise<void>
}
