import type { Manifest } from '../model/files.ts'
import type { Source, SourceNotes } from '../model/source.ts'
import type { ReadLimits } from './change-collector.ts'

export type PullLimits = Omit<ReadLimits, 'bodyBytes'>

export interface PullOptions {
  source: Source
  /** The project's files as they are. */
  manifest: Manifest
  /** What the source held before; files whose version is still that one are not asked for. */
  notes: SourceNotes
  /** Paths to look at, each once and valid, whether they were changed or deleted; undefined: everything. */
  paths: readonly string[] | undefined
  /** True for paths whose state here is the newer one, to be stored in the source: the source's is left alone. */
  isOurs?: ((path: string) => boolean) | undefined
  limits: PullLimits
  /** Where large contents are spooled. */
  tmpDir: string
  signal: AbortSignal
}
