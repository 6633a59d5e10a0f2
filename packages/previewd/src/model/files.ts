/** One file of a revision or an artifact. `path` is relative POSIX; `sha256` is lower-case hex. */
export interface FileEntry {
  path: string
  size: number
  sha256: string
}

/** path -> entry; the iteration order is that of the sorted paths. */
export type Manifest = ReadonlyMap<string, FileEntry>

/**
 * The files of one revision, immutable and readable until it is closed, whatever is written or deleted meanwhile.
 */
export interface Snapshot extends AsyncDisposable {
  readonly project: string
  readonly revision: number
  readonly files: Manifest
  /** Whole content; rejects with FILE_NOT_FOUND. */
  read(path: string): Promise<Buffer>
  /** Content in chunks of at most 1 MiB. */
  stream(path: string): AsyncIterable<Buffer>
}

export interface FileChange {
  path: string
  kind: 'added' | 'modified' | 'deleted'
}

/** A file that a client sends: in memory, or spooled to a temporary file while its body streamed in. */
export type IncomingFile = { path: string; content: Buffer } | { path: string; spooled: SpooledContent }

/** Bytes [offset, offset + size) of a temporary file, which many share. */
export interface SpooledContent {
  file: string
  offset: number
  size: number
  sha256: string
}

/** A validated batch of changes: applied whole or not at all. */
export interface ChangeBatch {
  files: IncomingFile[]
  deleted: string[]
  /** Refuse with REVISION_CONFLICT unless the project is at this revision. */
  baseRevision?: number
  /** Everything not in `files` is deleted (a full upload). */
  replaceAll?: boolean
}

/** A batch that was decided on and is being made durable. */
export interface ComingRevision {
  revision: number
  changed: readonly FileChange[]
  /** Those that are added or modified, with their content; undefined where it is not held in memory. */
  files: readonly (FileEntry & { content: Buffer | undefined })[]
  /** Rejects where it does not become a revision after all. */
  durable: Promise<unknown>
}

export interface AppliedChanges {
  revision: number
  changed: FileChange[]
  /** Files sent whose content was already there, and deletions of files that were not there. */
  unchanged: number
  /** For projects that are written through: whether their source has the revision, too. */
  stored?: StoredState
}

/** `pending` is still being tried when the caller is answered; what is not stored is tried again later. */
export type StoredState =
  | { state: 'stored' }
  | { state: 'pending' }
  | { state: 'failed'; code: string; detail: string }
