import type { FileEntry, Manifest } from './files.ts'

export type Encoding = 'identity' | 'gzip' | 'br'

/** The immutable output of a build, readable until closed. */
export interface Artifact {
  readonly project: string
  readonly buildId: string
  readonly files: Manifest
  /** Variants that are stored for this file. */
  encodings(path: string): ReadonlyMap<Encoding, { size: number }>
  /** Bytes [start, end) of one variant; whole content where no range is given. */
  read(path: string, encoding?: Encoding, range?: { start: number; end: number }): Promise<Buffer>
}

export interface ArtifactWriter {
  add(path: string, content: AsyncIterable<Buffer> | Buffer): Promise<FileEntry>
  /** Makes the artifact durable and visible. */
  seal(): Promise<{ files: number; bytes: number }>
  abort(): Promise<void>
}

export interface Artifacts {
  create(project: string, buildId: string): Promise<ArtifactWriter>
  /** Cached; rejects with BUILD_NOT_FOUND. */
  open(project: string, buildId: string): Promise<Artifact>
  /** Adds compressed variants of text files; idempotent, off the path to the first view. */
  compress(project: string, buildId: string): Promise<void>
  remove(project: string, buildId: string): Promise<void>
}
