import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readFully, writeFully } from '../lib/file-io.ts'
import type { SpooledContent } from '../model/files.ts'

/** A file of this size or less stays in memory, as long as all of them together fit. */
const SMALL_BYTES = 256 * 1024
const MEMORY_BYTES = 16 * 1024 * 1024
const READ_BYTES = 1024 * 1024

export type Kept = { content: Buffer } | { spooled: SpooledContent }

/** Keeps the contents of one request, small ones in memory and the others in one temporary file. */
export class Spool {
  readonly #path: string
  readonly #memoryLimitBytes: number
  #file: FileHandle | undefined
  #writtenBytes = 0
  #memoryBytes = 0

  /** At most `memoryBytes` of small contents stay in memory. */
  constructor(tmpDir: string, memoryBytes: number = MEMORY_BYTES) {
    this.#memoryLimitBytes = memoryBytes
    this.#path = join(tmpDir, `upload-${randomUUID()}`)
  }

  /** Takes one content to its end, hashing what it spools; one after the other. `onSize` may throw to refuse more. */
  async keep(content: AsyncIterable<Buffer>, onSize: (sizeBytes: number) => void): Promise<Kept> {
    const small: Buffer[] = []
    let sizeBytes = 0
    let spooling: { offset: number; sum: ReturnType<typeof createHash> } | undefined
    for await (const chunk of content) {
      sizeBytes += chunk.length
      onSize(sizeBytes)
      if (spooling === undefined && this.#fits(sizeBytes)) {
        small.push(chunk)
        continue
      }
      const pieces = spooling === undefined ? [...small, chunk] : [chunk]
      spooling ??= { offset: this.#writtenBytes, sum: createHash('sha256') }
      for (const piece of pieces) {
        spooling.sum.update(piece)
        await this.#write(piece)
      }
    }
    if (spooling === undefined) {
      this.#memoryBytes += sizeBytes
      return { content: Buffer.concat(small) }
    }
    const { offset, sum } = spooling
    return { spooled: { file: this.#path, offset, size: sizeBytes, sha256: sum.digest('hex') } }
  }

  /** What was kept, in chunks of at most 1 MiB. */
  async *read(kept: Kept): AsyncGenerator<Buffer, void, undefined> {
    if ('content' in kept) {
      yield kept.content
      return
    }
    const { offset, size } = kept.spooled
    if (this.#file === undefined) throw new Error('The spool is closed.')
    for (let done = 0; done < size; done += READ_BYTES) {
      yield await readFully(this.#file, offset + done, Math.min(READ_BYTES, size - done))
    }
  }

  async dispose(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    if (file === undefined) return
    await file.close()
    await rm(this.#path, { force: true })
  }

  #fits(sizeBytes: number): boolean {
    return sizeBytes <= SMALL_BYTES && this.#memoryBytes + sizeBytes <= this.#memoryLimitBytes
  }

  async #write(piece: Buffer): Promise<void> {
    this.#file ??= await open(this.#path, 'wx+', 0o600)
    await writeFully(this.#file, this.#writtenBytes, piece)
    this.#writtenBytes += piece.length
  }
}
