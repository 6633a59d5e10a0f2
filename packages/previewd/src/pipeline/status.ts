import type { AppServerView } from '../model/app-server.ts'
import { type Build, isFinished } from '../model/build.ts'
import type { ReportedDiagnostic } from '../model/diagnostic.ts'
import type { InstallProgress } from '../model/environment.ts'
import type { Project } from '../model/project.ts'
import type { Painted, SessionView } from '../model/session.ts'
import type { PreviewUrls, ProjectState, ProjectStatus } from '../model/status.ts'

export interface StatusInputs {
  project: Project
  /** The build that runs, else the one that waits. */
  active: Build | undefined
  /** The newest build that came to an end and was not canceled. */
  finished: Build | undefined
  urls: PreviewUrls
  progress: InstallProgress | undefined
  session: SessionView
  server: AppServerView | undefined
  painted: Painted | undefined
  /** Of the live session. */
  transforms: ReportedDiagnostic[]
}

/** What the API says of a project. The diagnostics are those of the session and of the newest build that ended. */
export function deriveStatus(inputs: StatusInputs): ProjectStatus {
  const { project, active, finished, urls, progress, session, server, painted, transforms } = inputs
  const shown = active ?? finished
  const state = stateOf(project, active, finished)
  return {
    project: project.id,
    revision: project.revision,
    state,
    build: shown ? withoutDetails(shown) : null,
    published: project.published ?? null,
    session,
    ...(server && { server }),
    painted: painted ?? null,
    urls,
    diagnostics: [...transforms, ...(finished ? others(reported(finished), transforms) : [])],
    // Events that carry it are kept, and a build under way goes on to write into its own.
    timings: { ...shown?.timings },
    ...(state === 'installing' && progress && { progress }),
  }
}

/** A build that met the same problem says it in other words. */
function others(found: ReportedDiagnostic[], known: ReportedDiagnostic[]): ReportedDiagnostic[] {
  const places = new Set(known.map(({ file, line }) => `${file}:${line}`))
  return found.filter(({ file, line }) => file === undefined || !places.has(`${file}:${line}`))
}

function stateOf(project: Project, active: Build | undefined, finished: Build | undefined): ProjectState {
  if (active?.state === 'queued' || active?.state === 'installing' || active?.state === 'building')
    return active.state
  if (finished) return finished.state === 'succeeded' ? 'ready' : 'error'
  return project.published ? 'ready' : 'empty'
}

/** A build as the status and the events show it. */
export function withoutDetails(build: Build): NonNullable<ProjectStatus['build']> {
  const { diagnostics: _diagnostics, timings: _timings, project: _project, ...shown } = build
  return shown
}

export function reported({ diagnostics, revision }: Build): ReportedDiagnostic[] {
  return diagnostics.map((diagnostic) => ({ ...diagnostic, count: 1, revision }))
}

/** Of builds, newest first: the first that came to an end and was not canceled. */
export function newestFinished(builds: readonly Build[]): Build | undefined {
  return builds.find(({ state }) => isFinished(state) && state !== 'canceled')
}
