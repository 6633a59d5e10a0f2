import type { Build } from './build.ts'
import type { AppliedChanges, ChangeBatch } from './files.ts'
import type { Project, ProjectSettings } from './project.ts'
import type { Sessions, SessionView } from './session.ts'
import type { ProjectStatus } from './status.ts'
import type { LogLine } from './worker.ts'

/** How far a revision has to get before a call is answered. */
export type WaitPoint = 'applied' | 'built' | 'live' | 'checked' | 'painted'

/** What of a source is to be looked at: some paths, changed or deleted, or everything. */
export interface SyncRequest {
  paths?: readonly string[]
}

export interface BuildLog {
  buildId: string
  /** Lines so far; bounded by the log limit. */
  lines: AsyncIterable<LogLine & { at: string }>
}

/**
 * What the way of the data offers to those who call: the API, the gateway, the command line. It joins the stages
 * and owns the order of things; errors are PreviewdError.
 */
export interface Pipeline {
  putProject(id: string, settings: Partial<ProjectSettings>): { project: Project; created: boolean }
  /** Stops what runs for it, then removes files, builds and caches. */
  deleteProject(id: string): Promise<void>
  /**
   * Applies the batch (the project is created where it does not exist) and queues a build where it changed something.
   * `startsSession`: whoever calls will start one, so that the build waits until edits pause, as beside a live session.
   */
  applyChanges(id: string, batch: ChangeBatch, options?: { startsSession?: boolean }): Promise<AppliedChanges>
  /**
   * Makes the project level with its source. One runs and one waits per project; what is asked for meanwhile joins the
   * one that waits. Rejects with the errors of a source, and nothing is changed then.
   */
  sync(id: string, request: SyncRequest): Promise<AppliedChanges>
  /** Queues a build of the current revision, or joins the one under way for it. */
  requestBuild(id: string, options: { force?: boolean }): Promise<Build>
  cancelBuild(id: string, buildId: string): Promise<Build>
  /** Makes an earlier good build the one that viewers see. */
  publish(id: string, buildId: string): Promise<void>
  status(id: string): ProjectStatus
  /** Starts a live session or keeps it alive; answers at once. */
  startSession(id: string): Promise<SessionView>
  /** Rejects with SESSION_NOT_FOUND where there is none; resolves when its worker is gone. */
  stopSession(id: string): Promise<void>
  /** Sessions by state. */
  sessionCounts(): ReturnType<Sessions['counts']>
  /** True once `revision` (or a newer one) reached the point or failed to; false on time-out or abort. */
  waitFor(
    id: string,
    revision: number,
    point: WaitPoint,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<boolean>
  /** The log of a build (the newest by default), lines kept so far; with `follow`, until the build ends. */
  log(id: string, options: { buildId?: string; follow?: boolean; signal?: AbortSignal }): Promise<BuildLog>
  /** Continues what a killed server left: unfinished builds are queued anew. */
  resume(): Promise<void>
  /** Refuses new work, lets running builds end until the time is over, then cancels them. */
  drain(timeoutMs: number): Promise<void>
}
