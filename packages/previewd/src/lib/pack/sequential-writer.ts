import { type FileHandle, open } from 'node:fs/promises'
import { writeFully } from '../file-io.ts'

const BUFFER_BYTES = 1024 * 1024

/** Writes one after the other from an offset on, gathering small pieces so that a batch of them is one call. */
export class SequentialWriter {
  readonly #file: FileHandle
  #written: number
  #pending: Buffer[] = []
  #pendingBytes = 0

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

  /** Appends `sizeBytes` bytes of a file; rejects where it has another size. */
  async writeFile(path: string, sizeBytes: number): Promise<void> {
    const source = await open(path, 'r')
    try {
      let done = 0
      for (;;) {
        const chunk = Buffer.allocUnsafe(BUFFER_BYTES)
        const { bytesRead } = await source.read(chunk, 0, BUFFER_BYTES, done)
        done += bytesRead
        if (done > sizeBytes || (bytesRead === 0 && done < sizeBytes)) {
          throw new Error(`A file to be packed is not ${sizeBytes} bytes long.`)
        }
        if (bytesRead === 0) return
        await this.write(chunk.subarray(0, bytesRead))
      }
    } finally {
      await source.close()
    }
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
