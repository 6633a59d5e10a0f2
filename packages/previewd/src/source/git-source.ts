import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PreviewdError } from '../errors.ts'
import { readFully, writeFully } from '../lib/file-io.ts'
import type { Source, SourceFile } from '../model/source.ts'
import { type OutputEntry, WorkerError } from '../model/worker.ts'
import { tooLarge } from './git-failure.ts'

/** Fetches a repository and gives its files away one after the other. */
export type Fetch = (onEntry: (entry: OutputEntry) => Promise<void>, signal: AbortSignal) => Promise<void>

interface Kept extends SourceFile {
  offset: number
}

const READ_BYTES = 1024 * 1024

/**
 * A repository as it was when it was first read: it is fetched once, and its files lie one after the other in a
 * temporary file until the source is disposed of. Symbolic links and submodules are left out.
 */
export class GitSource implements Source {
  readonly #fetch: Fetch
  readonly #path: string
  #files: Promise<Map<string, Kept>> | undefined
  #spool: FileHandle | undefined

  constructor(fetch: Fetch, tmpDir: string) {
    this.#fetch = fetch
    this.#path = join(tmpDir, `git-${randomUUID()}`)
  }

  async *list(signal: AbortSignal): AsyncGenerator<SourceFile> {
    for (const { offset: _, ...file } of (await this.#read(signal)).values()) yield file
  }

  async find(path: string, signal: AbortSignal): Promise<SourceFile | undefined> {
    const { offset: _, ...file } = (await this.#read(signal)).get(path) ?? { offset: 0 }
    return 'path' in file ? file : undefined
  }

  async read(file: SourceFile, signal: AbortSignal): Promise<AsyncIterable<Buffer> | undefined> {
    const kept = (await this.#read(signal)).get(file.path)
    return kept?.version === file.version ? this.#content(kept) : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files?.catch(() => undefined)
    const spool = this.#spool
    this.#spool = undefined
    if (spool === undefined) return
    await spool.close()
    await rm(this.#path, { force: true })
  }

  /** One fetch for all who ask; one that failed is tried again by who asks next. */
  #read(signal: AbortSignal): Promise<Map<string, Kept>> {
    this.#files ??= this.#keepAll(signal).catch((error: unknown) => {
      this.#files = undefined
      throw toSourceError(error)
    })
    return this.#files
  }

  async #keepAll(signal: AbortSignal): Promise<Map<string, Kept>> {
    this.#spool ??= await open(this.#path, 'wx+', 0o600)
    const spool = this.#spool
    const files = new Map<string, Kept>()
    let end = 0
    await this.#fetch(async (entry) => {
      if (entry.kind !== 'file' || entry.path === '.git') return
      const hash = createHash('sha256')
      const offset = end
      for await (const chunk of entry.content) {
        hash.update(chunk)
        await writeFully(spool, end, chunk)
        end += chunk.length
      }
      const sha256 = hash.digest('hex')
      files.set(entry.path, { path: entry.path, size: entry.size, version: sha256, sha256, offset })
    }, signal)
    return files
  }

  async *#content({ offset, size }: Kept): AsyncGenerator<Buffer> {
    for (let done = 0; done < size; done += READ_BYTES) {
      if (this.#spool === undefined) throw new Error('The source is closed.')
      yield await readFully(this.#spool, offset + done, Math.min(READ_BYTES, size - done))
    }
  }
}

function toSourceError(error: unknown): unknown {
  if (!(error instanceof WorkerError)) return error
  const { reason, message } = error
  if (reason === 'too_many_bytes') return tooLarge()
  if (reason === 'too_many_files') {
    return new PreviewdError('TOO_MANY_FILES', 'The repository has more files than this server takes.')
  }
  // A name that is not UTF-8, or too long.
  if (reason === 'special_file') return new PreviewdError('INVALID_PATH', message)
  return new PreviewdError('SOURCE_UNREACHABLE', 'The repository could not be read.', { cause: error })
}
