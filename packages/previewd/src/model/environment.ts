import type { Diagnostic } from './diagnostic.ts'
import type { Snapshot } from './files.ts'
import type { Bind, InputEntry } from './worker.ts'

/** An installed dependency set, keyed by content and shared by projects. */
export interface Environment {
  /** sha256 hex of what decides its content. */
  key: string
  /** The node_modules trees below /app: links into the store, and the shims of .bin. */
  entries: InputEntry[]
  /** Mounts that the links need: the store, read-only. */
  binds: Bind[]
}

export interface InstallProgress {
  phase: 'resolving' | 'fetching' | 'linking'
  /** Packages so far. */
  done: number
  total?: number
}

export type EnvironmentResult =
  | { ok: true; environment: Environment | null; reused: boolean; diagnostics: Diagnostic[] }
  | { ok: false; diagnostics: Diagnostic[] }

export interface PrepareOptions {
  /** Folder of package.json inside the files; '' is the top. */
  root: string
  signal?: AbortSignal
  onProgress?: (progress: InstallProgress) => void
  onLog?: (line: string) => void
}

export interface Environments {
  /**
   * The environment of a revision, installed where it is not known yet. `environment` is null for a project
   * without package.json or without dependencies. Problems of the project are diagnostics; only failures of the
   * server reject.
   */
  prepare(snapshot: Snapshot, options: PrepareOptions): Promise<EnvironmentResult>
  close(): Promise<void>
}
