import { PreviewdError } from '../errors.ts'
import type { ContentCache } from '../lib/content-cache.ts'
import type { PackEntry, PackIndex } from '../lib/pack/pack-index.ts'
import type { Artifact, Encoding } from '../model/artifact.ts'
import type { Manifest } from '../model/files.ts'
import { type ArtifactFiles, buildNotFound } from './artifact-files.ts'
import type { OpenPacks } from './open-packs.ts'

/** Larger files are read from the disk in ranges; its page cache does for them. */
const MAX_CACHED_BYTES = 256 * 1024

type Variants = ReadonlyMap<Encoding, PackEntry>

export interface PackedArtifactParts {
  project: string
  buildId: string
  files: ArtifactFiles
  index: PackIndex
  /** Entries are named `gzip/{path}` and `br/{path}`. */
  encodedIndex: PackIndex | undefined
  packs: OpenPacks
  cache: ContentCache
}

/** An artifact in its packs. It holds the indexes; the files themselves are opened for a read where they are not. */
export class PackedArtifact implements Artifact {
  readonly project: string
  readonly buildId: string
  readonly files: Manifest
  readonly #parts: PackedArtifactParts
  #encodedIndex: PackIndex | undefined
  /** Filled as files are asked for. */
  #variants = new Map<string, Variants>()

  constructor(parts: PackedArtifactParts) {
    this.project = parts.project
    this.buildId = parts.buildId
    this.files = parts.index
    this.#parts = parts
    this.#encodedIndex = parts.encodedIndex
  }

  /** Offers the compressed variants from now on. */
  addEncoded(encodedIndex: PackIndex): void {
    this.#encodedIndex = encodedIndex
    this.#variants = new Map()
  }

  encodings(path: string): Variants {
    const known = this.#variants.get(path)
    if (known !== undefined) return known
    const content = this.#parts.index.get(path)
    if (content === undefined) return NO_VARIANTS
    const variants = new Map<Encoding, PackEntry>([['identity', content]])
    for (const encoding of ['gzip', 'br'] as const) {
      const entry = this.#encodedIndex?.get(`${encoding}/${path}`)
      if (entry !== undefined) variants.set(encoding, entry)
    }
    this.#variants.set(path, variants)
    return variants
  }

  async read(
    path: string,
    encoding: Encoding = 'identity',
    range?: { start: number; end: number },
  ): Promise<Buffer> {
    const entry = this.encodings(path).get(encoding)
    if (entry === undefined) throw new PreviewdError('FILE_NOT_FOUND', `The artifact has no file ${path}.`)
    if (entry.size > MAX_CACHED_BYTES) return this.#readPack(entry, encoding, range)
    const key = `${this.project}/${this.buildId}/${entry.sha256}`
    const content = await this.#parts.cache.get(key, () => this.#readPack(entry, encoding))
    return range === undefined ? content : content.subarray(range.start, range.end)
  }

  async #readPack(
    entry: PackEntry,
    encoding: Encoding,
    range?: { start: number; end: number },
  ): Promise<Buffer> {
    const { files, packs } = this.#parts
    const path = encoding === 'identity' ? files.content : files.encoded
    const content = await packs.use(path, (pack) => pack.read(entry, range))
    if (content === undefined) throw buildNotFound()
    return content
  }
}

const NO_VARIANTS: Variants = new Map()
