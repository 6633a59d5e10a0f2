import { hash } from 'node:crypto'
import { PreviewdError } from '../errors.ts'
import type { IncomingFile } from '../model/files.ts'
import type { FetchedFile, Source, SourceFile } from '../model/source.ts'
import { withStorageErrors } from '../model/storage-error.ts'
import { fileTooLarge, projectTooLarge } from './limit-errors.ts'
import type { PullLimits, PullOptions } from './pull-options.ts'
import { type Kept, Spool } from './spool.ts'

const AT_ONCE = 16
/** Of small contents, kept in memory by each of those. */
const MEMORY_BYTES = 1024 * 1024
/** A content that breaks half-way, or changes while it is read, is read anew. */
const ATTEMPTS = 3

/** Reads files of a source beside one another, each lane into a spool of its own. */
export class Downloads {
  readonly files: IncomingFile[] = []
  /** What is to be noted of each file that was read. */
  readonly notes = new Map<string, { version: string; sha256: string }>()
  /** Paths that the source does not have, or no longer. */
  readonly gone: string[] = []
  readonly #source: Source
  readonly #limits: PullLimits
  readonly #tmpDir: string
  readonly #signal: AbortSignal
  readonly #spools: Spool[] = []
  #totalBytes = 0

  constructor({
    source,
    limits,
    tmpDir,
    signal,
  }: Pick<PullOptions, 'source' | 'limits' | 'tmpDir' | 'signal'>) {
    this.#source = source
    this.#limits = limits
    this.#tmpDir = tmpDir
    this.#signal = signal
  }

  /** Reads listed files at their versions, or the newest of bare paths. The first failure ends the others. */
  async run(wanted: readonly (SourceFile | string)[]): Promise<void> {
    const queue = wanted.values()
    const failed = new AbortController()
    const signal = AbortSignal.any([this.#signal, failed.signal])
    const lane = async () => {
      const spool = new Spool(this.#tmpDir, MEMORY_BYTES)
      this.#spools.push(spool)
      try {
        for (const next of queue) await this.#download(next, spool, signal)
      } catch (error) {
        failed.abort()
        throw error
      }
    }
    const lanes = Array.from({ length: Math.min(AT_ONCE, wanted.length) }, lane)
    const ends = await Promise.allSettled(lanes)
    const causes = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
    // Those that were ended by the first one say only that.
    const cause = causes.find((reason) => reason instanceof PreviewdError) ?? causes[0]
    if (cause !== undefined) throw cause
  }

  async dispose(): Promise<void> {
    for (const spool of this.#spools) await spool.dispose()
  }

  async #download(wanted: SourceFile | string, spool: Spool, signal: AbortSignal): Promise<void> {
    for (let tried = 1; ; tried++) {
      const path = typeof wanted === 'string' ? wanted : wanted.path
      const fetched = await this.#open(wanted, signal)
      if (fetched === undefined) {
        this.gone.push(path)
        return
      }
      try {
        await this.#keep(path, fetched, spool)
        return
      } catch (error) {
        signal.throwIfAborted()
        const isBroken = error instanceof PreviewdError && error.code === 'SOURCE_UNREACHABLE'
        if (!isBroken || tried === ATTEMPTS) throw error
      }
    }
  }

  /** The listed version; where that is gone, or none was listed, the newest. */
  async #open(wanted: SourceFile | string, signal: AbortSignal): Promise<FetchedFile | undefined> {
    if (typeof wanted !== 'string') {
      const content = await this.#source.read(wanted, signal)
      if (content) return { file: wanted, content }
    }
    const path = typeof wanted === 'string' ? wanted : wanted.path
    if (this.#source.fetch) return this.#source.fetch(path, signal)
    for (let tried = 1; tried <= ATTEMPTS; tried++) {
      const file = await this.#source.find(path, signal)
      if (file === undefined) return undefined
      const content = await this.#source.read(file, signal)
      if (content) return { file, content }
    }
    throw new PreviewdError(
      'SOURCE_UNREACHABLE',
      `The source's ${JSON.stringify(path)} does not stop changing.`,
    )
  }

  async #keep(path: string, { file, content }: FetchedFile, spool: Spool): Promise<void> {
    const check = (sizeBytes: number) => {
      if (sizeBytes > this.#limits.fileBytes) throw fileTooLarge(path, this.#limits)
      if (this.#totalBytes + sizeBytes > this.#limits.projectBytes) throw projectTooLarge(this.#limits)
    }
    const checked = checkedFirst(content, () => check(file.size))
    const kept = await withStorageErrors(() => spool.keep(checked, check))
    this.#totalBytes += file.size
    this.files.push({ path, ...kept })
    this.notes.set(path, { version: file.version, sha256: hashOf(kept) })
  }
}

/** Refuses by the size that was told, before the first byte is asked for, and lets go of the content. */
async function* checkedFirst(content: AsyncIterable<Buffer>, check: () => void): AsyncGenerator<Buffer> {
  const chunks = content[Symbol.asyncIterator]()
  try {
    check()
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value
  } finally {
    await chunks.return?.()
  }
}

function hashOf(kept: Kept): string {
  return 'content' in kept ? hash('sha256', kept.content) : kept.spooled.sha256
}
