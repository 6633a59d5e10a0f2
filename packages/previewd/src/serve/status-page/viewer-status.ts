import { toPlainText } from '../../lib/plain-text.ts'
import type { Build } from '../../model/build.ts'
import type { Diagnostic } from '../../model/diagnostic.ts'
import type { InstallProgress } from '../../model/environment.ts'
import type { ProjectState, ProjectStatus } from '../../model/status.ts'

const MAX_PROBLEMS = 5
const MAX_TEXT_LENGTH = 4000

/** What a viewer may know while there is no preview. All text is plain; it may be project-written. */
export interface ViewerStatus {
  project: string
  state: ProjectState
  revision: number
  /** There is a build to show now. */
  ready: boolean
  progress: InstallProgress | undefined
  /** This viewer may see what went wrong. */
  editor: boolean
  /** What went wrong, root cause first; empty for those who are not editors. */
  problems: ViewerProblem[]
  /** Problems that are not listed because there are too many. */
  moreProblems: number
}

export interface ViewerProblem {
  severity: 'error' | 'warning'
  message: string
  /** `src/App.tsx:3:10`. */
  location: string | undefined
  frame: string | undefined
  hint: string | undefined
}

/** Reduces the status of a project to what this viewer may see: only editors learn file names and source lines. */
export function toViewerStatus(status: ProjectStatus, editor: boolean): ViewerStatus {
  return {
    project: status.project,
    state: status.state,
    revision: status.revision,
    ready: status.published !== null,
    progress: status.state === 'installing' ? status.progress : undefined,
    editor,
    ...toProblems(editor && status.state === 'error' ? status.diagnostics : []),
  }
}

/** The same for one build, at the address that shows only this build. */
export function toBuildViewerStatus(build: Build, editor: boolean): ViewerStatus {
  const state = BUILD_STATES[build.state]
  return {
    project: build.project,
    state,
    revision: build.revision,
    ready: state === 'ready',
    progress: undefined,
    editor,
    ...toProblems(editor && state === 'error' ? build.diagnostics : []),
  }
}

const BUILD_STATES: Record<Build['state'], ProjectState> = {
  queued: 'queued',
  installing: 'installing',
  building: 'building',
  succeeded: 'ready',
  failed: 'error',
  canceled: 'error',
  timed_out: 'error',
}

function toProblems(diagnostics: readonly Diagnostic[]): Pick<ViewerStatus, 'problems' | 'moreProblems'> {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error')
  const shown = errors.slice(0, MAX_PROBLEMS)
  return { problems: shown.map(toProblem), moreProblems: errors.length - shown.length }
}

function toProblem(diagnostic: Diagnostic): ViewerProblem {
  const { severity, file, line, column } = diagnostic
  return {
    severity,
    message: plain(diagnostic.message) ?? '',
    location: plain([file, line, column].filter((part) => part !== undefined).join(':') || undefined),
    frame: plain(diagnostic.frame),
    hint: plain(diagnostic.hint),
  }
}

function plain(text: string | undefined): string | undefined {
  return text === undefined ? undefined : toPlainText(text).slice(0, MAX_TEXT_LENGTH)
}
