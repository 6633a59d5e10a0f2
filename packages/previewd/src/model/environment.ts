import type { Diagnostic } from './diagnostic.ts'
import type { Snapshot } from './files.ts'
import type { NodeChoice } from './node-version.ts'
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

/** A Node that runs a project's code in place of the server's own. */
export interface NodeProgram {
  version: string
  /** On the host. */
  path: string
}

export type NodeResult =
  /** Without a node: the server's own. */
  { ok: true; node?: NodeProgram; diagnostics: Diagnostic[] } | { ok: false; diagnostics: Diagnostic[] }

/** The Nodes that projects ask for. */
export interface Nodes {
  /**
   * The one that was chosen, downloaded where it is not there yet. Where it cannot be had, that is a diagnostic: an error
   * if the settings require it, else a warning, and the server's own is used. Rejects where the signal aborts; the
   * download goes on for others.
   */
  prepare(choice: NodeChoice | undefined, signal: AbortSignal): Promise<NodeResult>
  close(): void
}

export type EnvironmentResult =
  | { ok: true; environment: Environment | null; reused: boolean; diagnostics: Diagnostic[] }
  | { ok: false; diagnostics: Diagnostic[] }

export interface PrepareOptions {
  /** Folder of package.json inside the files; '' is the top. */
  root: string
  /** Of the Node that the packages are for; the server's own where it is left out. */
  nodeVersion?: string | undefined
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
