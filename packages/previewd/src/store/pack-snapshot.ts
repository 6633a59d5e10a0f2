import { PreviewdError } from '../errors.ts'
import type { PackFile } from '../lib/pack/pack-file.ts'
import type { PackIndex } from '../lib/pack/pack-index.ts'
import type { Snapshot } from '../model/files.ts'
import { toStorageError, withStorageErrors } from '../model/storage-error.ts'

/** Small files stand beside one another in the pack, so one read of this size serves many of them. */
const AHEAD_BYTES = 256 * 1024

interface Window {
  start: number
  end: number
  bytes: Promise<Buffer>
}

/** One revision in the pack: the index that it had, and the open file, which keeps its content whatever comes. */
export class PackSnapshot implements Snapshot {
  readonly project: string
  readonly revision: number
  readonly files: PackIndex
  readonly #pack: PackFile | undefined
  #window: Window | undefined
  #closed = false

  /** `pack` is retained for the snapshot already; undefined where the project has no files yet. */
  constructor(project: string, revision: number, pack: PackFile | undefined) {
    this.project = project
    this.revision = revision
    this.files = pack?.index ?? new Map()
    this.#pack = pack
  }

  async read(path: string): Promise<Buffer> {
    const { entry, pack } = this.#find(path)
    return withStorageErrors(async () => {
      if (entry.size > AHEAD_BYTES / 2) return pack.read(entry)
      const window = this.#windowAt(pack, entry.offset, entry.size)
      const bytes = await window.bytes
      // A copy, so that a small file that is kept does not keep the whole window.
      return Buffer.from(
        bytes.subarray(entry.offset - window.start, entry.offset - window.start + entry.size),
      )
    })
  }

  async *stream(path: string): AsyncGenerator<Buffer, void, undefined> {
    const { entry, pack } = this.#find(path)
    try {
      yield* pack.stream(entry)
    } catch (error) {
      throw toStorageError(error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#window = undefined
    await this.#pack?.release()
  }

  #find(path: string) {
    if (this.#closed) throw new Error('The snapshot is closed.')
    const entry = this.files.get(path)
    if (entry === undefined || this.#pack === undefined) {
      throw new PreviewdError('FILE_NOT_FOUND', `Revision ${this.revision} has no file "${path}".`)
    }
    return { entry, pack: this.#pack }
  }

  #windowAt(pack: PackFile, offset: number, sizeBytes: number): Window {
    const current = this.#window
    if (current && offset >= current.start && offset + sizeBytes <= current.end) return current
    const end = Math.min(pack.sizeBytes, offset + AHEAD_BYTES)
    const window = { start: offset, end, bytes: pack.readRaw(offset, end - offset) }
    this.#window = window
    window.bytes.catch(() => {
      if (this.#window === window) this.#window = undefined
    })
    return window
  }
}
