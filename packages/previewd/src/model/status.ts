import type { AppServerView } from './app-server.ts'
import type { Build } from './build.ts'
import type { ReportedDiagnostic } from './diagnostic.ts'
import type { InstallProgress } from './environment.ts'
import type { Painted, SessionView } from './session.ts'

/** Addresses of a project's previews; those of its env sets by their names. */
export interface PreviewUrls {
  preview: string
  path: string
  envSets?: Record<string, string>
}

export type ProjectState = 'empty' | 'queued' | 'installing' | 'building' | 'ready' | 'error'

/** What the API says of a project; times are ISO 8601 UTC. */
export interface ProjectStatus {
  project: string
  revision: number
  state: ProjectState
  /** The newest build, without its diagnostics: those stand below. */
  build: Omit<Build, 'diagnostics' | 'timings' | 'project'> | null
  published: { buildId: string; revision: number } | null
  session: SessionView
  /** Of a published build whose pages a server renders. */
  server?: AppServerView
  /** What the newest page of an editor says of itself. */
  painted: Painted | null
  urls: PreviewUrls
  diagnostics: ReportedDiagnostic[]
  timings: { syncMs?: number; installMs?: number; buildMs?: number }
  /** While the state is `installing`. */
  progress?: InstallProgress
}
