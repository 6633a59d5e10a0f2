import type { BuildLogs } from '../build/log.ts'
import type { Config } from '../config.ts'
import type { AppServers } from '../model/app-server.ts'
import type { Artifacts } from '../model/artifact.ts'
import type { Environments, Nodes } from '../model/environment.ts'
import type { EventBus } from '../model/event.ts'
import type { Sessions, Viewers } from '../model/session.ts'
import type { Sources } from '../model/source.ts'
import type { PreviewUrls } from '../model/status.ts'
import type { Builds, Files, Projects, SourceNotesTable } from '../model/store.ts'
import type { Workers } from '../model/worker.ts'
import type { RetryPauses } from './retry-timers.ts'

/** The stages that the pipeline joins, and what it is set to. */
export interface PipelineParts {
  projects: Projects
  files: Files
  builds: Builds
  sources: Sources
  sourceNotes: SourceNotesTable
  /** Where what is fetched is spooled. */
  tmpDir: string
  environments: Environments
  nodes: Nodes
  workers: Workers
  sessions: Sessions
  /** Of builds whose pages a server renders. */
  appServers?: Pick<AppServers, 'stop' | 'view'> | undefined
  /** Pages that show a session; without, nothing is ever painted. */
  viewers?: Viewers | undefined
  artifacts: Artifacts
  events: EventBus
  logs: BuildLogs
  config: Pick<Config, 'build' | 'allowedEnv' | 'nodes' | 'pathMode' | 'limits'>
  /** Between attempts to reach a source that failed; from seconds to minutes by default. */
  retryPauses?: RetryPauses | undefined
  /** The addresses of a project's preview. */
  urls: (project: string) => PreviewUrls
  /** Failures of the server that no caller is there for. */
  onError: (error: unknown, what: string) => void
}
