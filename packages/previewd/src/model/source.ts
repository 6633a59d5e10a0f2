import type { FileEntry } from './files.ts'

/** A file as its source lists it. `path` is relative to the project's place in the source, not yet validated. */
export interface SourceFile {
  path: string
  size: number
  /** Opaque; another one means that the content may be another. */
  version: string
  /** Lower-case hex, where whoever wrote the file noted it down. */
  sha256?: string
}

/**
 * Where the files of one project live. What fails rejects with a PreviewdError that says what the source answered and
 * never holds a credential: SOURCE_UNREACHABLE (retried already), SOURCE_DENIED, SOURCE_NOT_FOUND.
 */
export interface Source extends AsyncDisposable {
  /** Every file of the project, in no order. */
  list(signal: AbortSignal): AsyncIterable<SourceFile>
  /** One file as it would be listed; undefined where there is none. */
  find(path: string, signal: AbortSignal): Promise<SourceFile | undefined>
  /**
   * The content of a listed file in chunks; undefined where the source holds another version by now, or none.
   */
  read(file: SourceFile, signal: AbortSignal): Promise<AsyncIterable<Buffer> | undefined>
  /** Stores a file, for sources that are written through; resolves with its version. */
  write?(file: FileEntry, content: () => AsyncIterable<Buffer>, signal: AbortSignal): Promise<string>
  /** Nothing need be there. */
  remove?(path: string, signal: AbortSignal): Promise<void>
  /** Tells of changes as they happen, some time after each; undefined paths: anything may have changed. */
  watch?(onChange: (paths: readonly string[] | undefined) => void): AsyncDisposable
}
