import type { CallOptions, ClientOptions } from './options.ts'
import type { Project } from './project.ts'
import { Projects } from './projects.ts'
import { Transport } from './transport.ts'

export type { ChangeSet, FileContent } from './changes.ts'
export {
  type ClientErrorCode,
  PreviewdConnectionError,
  PreviewdError,
  type PreviewdErrorCode,
  PreviewdFailedError,
  PreviewdTimeoutError,
} from './errors.ts'
export type { EventOptions, ProjectEventType, ProjectHappening } from './events.ts'
export type { LiveSession } from './live-session.ts'
export type { CallOptions, ClientOptions } from './options.ts'
export type { PreviewUrlOptions, Project } from './project.ts'
export type { ProjectBuild } from './project-build.ts'
export type { ProjectFiles } from './project-files.ts'
export type { Projects } from './projects.ts'
export type {
  Build,
  Change,
  Diagnostic,
  Diagnostics,
  ErrorCode,
  LogLine,
  Manifest,
  Problem,
  Project as ProjectInfo,
  ProjectSettings,
  ProjectWithStatus,
  ReportedDiagnostic,
  Session,
  Source,
  Status,
} from './protocol.ts'
export type { FinishOptions, StreamResult, StreamTracker, TrackerOptions } from './stream-tracker.ts'
export type { WaitOptions, WaitPoint } from './wait.ts'

/** A server of previewd. Holds no connection: nothing has to be closed. */
export class PreviewdClient {
  readonly projects: Projects
  readonly #transport: Transport

  /** Throws INVALID_OPTIONS. */
  constructor(options: ClientOptions) {
    this.#transport = new Transport(options)
    this.projects = new Projects(this.#transport)
  }

  /** Where the server's API answers. */
  get url(): string {
    return this.#transport.url
  }

  /** A project by its id, without a call: `applyChanges` makes it where it does not exist. */
  project(id: string): Project {
    return this.projects.at(id)
  }

  /** Whether the server answers and takes work; throws what is in the way. */
  async ready(options: CallOptions = {}): Promise<void> {
    await this.#transport.json('readyz', options)
  }
}

/** The same as `new PreviewdClient(options)`. */
export function createClient(options: ClientOptions): PreviewdClient {
  return new PreviewdClient(options)
}
