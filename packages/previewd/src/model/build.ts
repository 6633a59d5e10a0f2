import type { Diagnostic } from './diagnostic.ts'

export type BuildState =
  | 'queued'
  | 'installing'
  | 'building'
  | 'succeeded'
  | 'failed'
  | 'canceled'
  | 'timed_out'

/** One run that makes an artifact from a revision. Ids are 12 characters of [a-z0-9]; times are ISO 8601 UTC. */
export interface Build {
  id: string
  project: string
  revision: number
  state: BuildState
  queuedAt: string
  startedAt?: string
  finishedAt?: string
  durationMs?: number
  artifact?: { files: number; bytes: number }
  /** Of one whose pages a server renders. */
  server?: { framework: string }
  diagnostics: Diagnostic[]
  timings: { syncMs?: number; installMs?: number; buildMs?: number }
  /** Key of the environment it used. */
  environment?: string
  /** How it went with each env set, once that is known; `same` where variables make no difference. */
  envSets?: Record<string, 'succeeded' | 'failed' | 'same'>
  /** Of the Node that it ran with, where that was another than the server's own. */
  nodeMajor?: number
}

export function isFinished(state: BuildState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'canceled' || state === 'timed_out'
}
