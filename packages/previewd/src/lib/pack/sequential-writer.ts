import { type FileHandle, open } from 'node:fs/promises'
import { readFully, writeFully } from '../file-io.ts'

const BUFFER_BYTES = 1024 * 1024

/** Writes one after the other from an offset on, gathering small pieces so that a batch of them is one call. */
export class SequentialWriter {
  readonly #file: FileHandle
  #written: number
  #pending: Buffer[] = []
  #pendingBytes = 0
  #source: { name: string; file: FileHandle } | undefined

  constructor(file: FileHandle, offset: number) {
    this.#file = file
    this.#written = offset
  }

  /** Where the next byte will stand. */
  get offset(): number {
    return this.#written + this.#pendingBytes
  }

  async write(piece: Buffer): Promise<void> {
    this.#pending.push(piece)
    this.#pendingBytes += piece.length
    if (this.#pendingBytes >= BUFFER_BYTES) await this.flush()
  }

  /** Appends bytes of another file, which stays open until one of another name is copied from. */
  async copyFrom(source: { file: string; offset: number }, sizeBytes: number): Promise<void> {
    if (this.#source?.name !== source.file) {
      await this.closeSource()
      this.#source = { name: source.file, file: await open(source.file, 'r') }
    }
    for (let done = 0; done < sizeBytes; done += BUFFER_BYTES) {
      const length = Math.min(BUFFER_BYTES, sizeBytes - done)
      await this.write(await readFully(this.#source.file, source.offset + done, length))
    }
  }

  async closeSource(): Promise<void> {
    const source = this.#source
    this.#source = undefined
    await source?.file.close()
  }

  async flush(): Promise<void> {
    if (this.#pendingBytes === 0) return
    const [only, second] = this.#pending
    const bytes = only !== undefined && second === undefined ? only : Buffer.concat(this.#pending)
    await writeFully(this.#file, this.#written, bytes)
    this.#written += bytes.length
    this.#pending = []
    this.#pendingBytes = 0
  }
}
