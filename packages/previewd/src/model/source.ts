import type { FileEntry } from './files.ts'
import type { Project, SourceSettings } from './project.ts'

/** A file as its source lists it. `path` is relative to the project's place in the source, not yet validated. */
export interface SourceFile {
  path: string
  size: number
  /** Opaque; another one means that the content may be another. */
  version: string
  /** Lower-case hex, where whoever wrote the file noted it down. */
  sha256?: string
}

/** A file with its content, which belongs to just that version. The content is read to its end or destroyed. */
export interface FetchedFile {
  file: SourceFile
  content: AsyncIterable<Buffer>
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
   * The content of a listed file in chunks; undefined where the source holds another version by now, or none. Where it
   * ends before `size`, or breaks, it throws SOURCE_UNREACHABLE; whoever reads begins anew.
   */
  read(file: SourceFile, signal: AbortSignal): Promise<AsyncIterable<Buffer> | undefined>
  /** The newest version of a path in one request, for sources where that is less than `find` and `read`. */
  fetch?(path: string, signal: AbortSignal): Promise<FetchedFile | undefined>
  /** Stores a file, for sources that are written through; resolves with its version. */
  write?(file: FileEntry, content: () => AsyncIterable<Buffer>, signal: AbortSignal): Promise<string>
  /** Nothing need be there. */
  remove?(path: string, signal: AbortSignal): Promise<void>
  /** Tells of changes as they happen, some time after each; undefined paths: anything may have changed. */
  watch?(onChange: (paths: readonly string[] | undefined) => void): AsyncDisposable
}

/** Settings that name a place to fetch from. */
export type PulledSettings = Exclude<SourceSettings, { kind: 'push' }>

/** A source as a client asks for it: what is missing is filled in from what the operator set. */
export type SourceRequest =
  | { kind: 'push' }
  | { kind: 'local'; path: string }
  | {
      kind: 'azure-blob'
      container?: string
      prefix?: string
      writeThrough?: boolean
    }
  | {
      kind: 's3'
      bucket?: string
      prefix?: string
      writeThrough?: boolean
    }
  | { kind: 'git'; url: string; ref?: string | undefined; path?: string | undefined }

/** Whose source it is to be, and who asks. */
export interface SourceOwner {
  id: string
  externalId?: string | undefined
  /** The caller may administer the server: then any prefix of a place that the operator named is allowed. */
  isTrusted: boolean
}

/** The kinds of sources that this server has, and the places that its operator allows. */
export interface Sources extends AsyncDisposable {
  /**
   * What is kept of a request. Throws SOURCE_NOT_SUPPORTED where the operator set no source of that kind and
   * SETTINGS_INVALID where the place is not one that this project may read.
   */
  resolve(asked: SourceRequest, owner: SourceOwner): SourceSettings
  /** The source of a project that is asked for before anybody made it; undefined where the operator named none. */
  forUnknown(owner: SourceOwner): PulledSettings | undefined
  /** True where a project's place follows from its external id, so that only the operator may set that. */
  readonly followExternalId: boolean
  /** Rejects with SOURCE_NOT_SUPPORTED, also where the operator took the place away since. */
  open(project: Project): Promise<Source>
}

/** What a source held when a project was last level with it; a cache that may be lost. */
export interface SourceNotes {
  /** Names the place, so that notes of another one do not count. */
  place: string
  /** The version that was read or written, by path, and the hash of its content. */
  files: ReadonlyMap<string, { version: string; sha256: string }>
}

/** Notes that hold once files that were fetched are applied; undefined where the source has no such file. */
export interface ComingNotes {
  place: string
  files: ReadonlyMap<string, { version: string; sha256: string } | undefined>
}
