import type { PackWriter } from '../lib/pack/pack-writer.ts'
import type { ArtifactWriter } from '../model/artifact.ts'
import type { FileEntry } from '../model/files.ts'
import { checkOutputPath } from './output-path.ts'

interface AroundSeal {
  before(): Promise<void>
  after(): void
}

/** Writes an artifact into a pack that exists only once it is sealed. */
export class PackedWriter implements ArtifactWriter {
  readonly #pack: PackWriter
  readonly #aroundSeal: AroundSeal
  readonly #sizes = new Map<string, number>()

  constructor(pack: PackWriter, aroundSeal: AroundSeal) {
    this.#pack = pack
    this.#aroundSeal = aroundSeal
  }

  async add(path: string, content: AsyncIterable<Buffer> | Buffer): Promise<FileEntry> {
    checkOutputPath(path)
    const entry = await this.#pack.add(path, content)
    this.#sizes.set(path, entry.size)
    return entry
  }

  async seal(): Promise<{ files: number; bytes: number }> {
    await this.#aroundSeal.before()
    await this.#pack.seal()
    this.#aroundSeal.after()
    let bytes = 0
    for (const size of this.#sizes.values()) bytes += size
    return { files: this.#sizes.size, bytes }
  }

  async abort(): Promise<void> {
    await this.#pack.abort()
  }
}
