import { PreviewdError } from '../errors.ts'
import { checkFilePath } from '../model/file-path.ts'
import type { ChangeBatch, IncomingFile } from '../model/files.ts'
import { type Kept, Spool } from './spool.ts'

export interface ReadLimits {
  fileBytes: number
  projectBytes: number
  files: number
  bodyBytes: number
}

/** Gathers a batch while its body streams in, and refuses it as soon as it is more than a project may hold. */
export class ChangeCollector {
  readonly limits: ReadLimits
  readonly spool: Spool
  readonly #files = new Map<string, IncomingFile>()
  readonly #deleted = new Set<string>()
  #baseRevision: number | undefined
  #keptBytes = 0

  constructor(limits: ReadLimits, tmpDir: string) {
    this.limits = limits
    this.spool = new Spool(tmpDir)
  }

  /** Throws INVALID_PATH or TOO_MANY_FILES; called before a content is read. */
  checkNext(path: string): void {
    checkFilePath(path)
    if (this.#files.size >= this.limits.files && !this.#files.has(path)) throw this.#tooMany('files')
  }

  /** Adds a file, or replaces the one of the same path. */
  async addFile(path: string, content: AsyncIterable<Buffer> | Buffer): Promise<void> {
    this.checkNext(path)
    if (Buffer.isBuffer(content)) {
      this.checkSize(path, content.length)
      this.#keep(path, { content }, content.length)
      return
    }
    let sizeBytes = 0
    const kept = await this.spool.keep(content, (size) => {
      this.checkSize(path, size)
      sizeBytes = size
    })
    this.#keep(path, kept, sizeBytes)
  }

  addDeleted(path: string): void {
    checkFilePath(path)
    if (this.#deleted.size >= this.limits.files) throw this.#tooMany('deleted files')
    this.#deleted.add(path)
  }

  setBaseRevision(revision: unknown): void {
    if (!Number.isSafeInteger(revision) || Number(revision) < 0) {
      throw new PreviewdError('BAD_REQUEST', '"baseRevision" has to be a whole number, 0 or more.')
    }
    this.#baseRevision = Number(revision)
  }

  toBatch(options: { replaceAll: boolean }): ChangeBatch {
    for (const path of this.#deleted) {
      if (!this.#files.has(path)) continue
      throw new PreviewdError('BAD_REQUEST', `${JSON.stringify(path)} is in both "files" and "deleted".`)
    }
    return {
      files: [...this.#files.values()],
      deleted: [...this.#deleted],
      ...(this.#baseRevision !== undefined && { baseRevision: this.#baseRevision }),
      ...(options.replaceAll && { replaceAll: true }),
    }
  }

  #keep(path: string, kept: Kept, sizeBytes: number): void {
    this.#keptBytes += sizeBytes
    this.#files.set(path, { path, ...kept })
  }

  /** Throws FILE_TOO_LARGE or PROJECT_TOO_LARGE. */
  checkSize(path: string, sizeBytes: number): void {
    const { fileBytes, projectBytes } = this.limits
    if (sizeBytes > fileBytes) {
      throw new PreviewdError('FILE_TOO_LARGE', `${JSON.stringify(path)} is larger than ${fileBytes} bytes.`)
    }
    if (this.#keptBytes + sizeBytes > projectBytes) {
      throw new PreviewdError(
        'PROJECT_TOO_LARGE',
        `The files are larger than ${projectBytes} bytes together.`,
      )
    }
  }

  #tooMany(what: string): PreviewdError {
    return new PreviewdError('TOO_MANY_FILES', `The batch has more than ${this.limits.files} ${what}.`)
  }
}
