import type { ArtifactWriter } from '../model/artifact.ts'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { Environment, NodeProgram } from '../model/environment.ts'
import type { Snapshot } from '../model/files.ts'
import type { LogLine, OutputLimits, Workers } from '../model/worker.ts'
import type { BuildPlan } from './plan.ts'

export interface BuildLimits {
  timeoutMs: number
  memoryBytes: number
  processes: number
  artifactBytes: number
  artifactFiles: number
  logBytes: number
}

/** The same revision once more, with other variables. */
export interface EnvSetBuild {
  name: string
  env: Record<string, string>
  /** In place of the plan's. */
  mode?: string
  create: () => Promise<ArtifactWriter>
  done: (state: 'succeeded' | 'failed') => void
}

export interface BuildOptions {
  snapshot: Snapshot
  plan: BuildPlan
  environment: Environment | null
  /** The server's own where it is left out. */
  node?: NodeProgram | undefined
  workers: Workers
  limits: BuildLimits
  writer: ArtifactWriter
  /** For the server that the build leaves, where its pages need one. */
  createServer: () => Promise<ArtifactWriter>
  /** The same revision below another base path, built in the same worker once the build itself is done. */
  variant?: { base: string; create: () => Promise<ArtifactWriter> } | undefined
  /** Built in the same worker, too, one after the other. */
  envSets?: readonly EnvSetBuild[]
  onLog: (line: LogLine) => void
  signal: AbortSignal
}

export interface BuildRun {
  state: 'succeeded' | 'failed' | 'timed_out' | 'canceled'
  diagnostics: Diagnostic[]
  /** Of a build that succeeded: the sealed artifact. */
  artifact?: { files: number; bytes: number }
  /** The framework of the server that the build left. */
  server?: { framework: string }
  /**
   * What still runs when the artifact is there: the variant and the type checks. Resolves to what they found when the
   * worker is gone, and never rejects for what project code does; ends at once when the signal aborts.
   */
  rest: Promise<Diagnostic[]>
}

export function outputLimits(limits: BuildLimits): OutputLimits {
  return { files: limits.artifactFiles, bytes: limits.artifactBytes }
}
