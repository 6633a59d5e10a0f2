import { hash, randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncDirectory, writeFully } from '../file-io.ts'
import { writeCommitEnd } from './commit-end.ts'
import { encodeHeader, HEADER_BYTES, newSha256 } from './format.ts'
import { PackEntry } from './pack-index.ts'
import { SequentialWriter } from './sequential-writer.ts'

/**
 * Makes a pack of one commit, file by file, without knowing sizes or hashes beforehand. It is written beside its
 * place and appears there whole when it is sealed; PackFile.open reads it. Calls come one after the other.
 */
export class PackWriter {
  readonly #path: string
  readonly #temporary: string
  readonly #file: FileHandle
  readonly #id: Buffer
  readonly #writer: SequentialWriter
  readonly #entries = new Map<string, PackEntry>()
  readonly #offsets = new Map<string, number>()

  private constructor(path: string, temporary: string, file: FileHandle, id: Buffer) {
    this.#path = path
    this.#temporary = temporary
    this.#file = file
    this.#id = id
    this.#writer = new SequentialWriter(file, HEADER_BYTES)
  }

  /** `path` is where the sealed pack will stand; its directory has to exist. */
  static async create(path: string): Promise<PackWriter> {
    const temporary = `${path}.${randomBytes(6).toString('hex')}.new`
    const id = randomBytes(16)
    const file = await open(temporary, 'wx+', 0o600)
    const writer = new PackWriter(path, temporary, file, id)
    try {
      await writeFully(file, 0, encodeHeader(id))
      return writer
    } catch (error) {
      await writer.abort()
      throw error
    }
  }

  /** Adds a file, or replaces it. Content in memory that is there already is not written again. */
  async add(path: string, content: AsyncIterable<Buffer> | Buffer): Promise<PackEntry> {
    const entry = Buffer.isBuffer(content)
      ? await this.#addBuffer(path, content)
      : await this.#addStream(path, content)
    this.#entries.set(path, entry)
    return entry
  }

  /** Makes the pack durable and gives it its name; answers with its size. */
  async seal(sequence = 1): Promise<{ sizeBytes: number }> {
    const sorted = [...this.#entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
    const index = new Map(sorted.map((entry) => [entry.path, entry]))
    const target = { file: this.#file, id: this.#id, writer: this.#writer }
    const commit = await writeCommitEnd(target, { sequence, start: HEADER_BYTES, index })
    await this.#file.close()
    await rename(this.#temporary, this.#path)
    await syncDirectory(dirname(this.#path))
    return { sizeBytes: commit.end }
  }

  /** Removes what was written so far. */
  async abort(): Promise<void> {
    await this.#file.close()
    await rm(this.#temporary, { force: true })
  }

  async #addBuffer(path: string, content: Buffer): Promise<PackEntry> {
    const sha256 = hash('sha256', content)
    const known = this.#offsets.get(sha256)
    const offset = known ?? this.#writer.offset
    if (known === undefined) await this.#writer.write(content)
    this.#offsets.set(sha256, offset)
    return new PackEntry(path, content.length, sha256, offset)
  }

  async #addStream(path: string, content: AsyncIterable<Buffer>): Promise<PackEntry> {
    const offset = this.#writer.offset
    const sum = newSha256()
    for await (const chunk of content) {
      sum.update(chunk)
      await this.#writer.write(chunk)
    }
    const sha256 = sum.digest('hex')
    this.#offsets.set(sha256, offset)
    return new PackEntry(path, this.#writer.offset - offset, sha256, offset)
  }
}
