import { readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { ContentCache } from '../lib/content-cache.ts'
import { makeDirectoryDurable, syncDirectory } from '../lib/file-io.ts'
import { PackWriter } from '../lib/pack/pack-writer.ts'
import type { Artifact, Artifacts, ArtifactWriter } from '../model/artifact.ts'
import { type ArtifactFiles, artifactFiles, buildNotFound } from './artifact-files.ts'
import { writeEncodedPack } from './compress.ts'
import { OpenPacks } from './open-packs.ts'
import { PackedArtifact } from './packed-artifact.ts'
import { PackedWriter } from './packed-writer.ts'

/** Open file descriptors; two for each artifact that is read. */
const MAX_OPEN_PACKS = 256
/** Files listed in the manifests that are kept in memory, over all artifacts. */
const MAX_KNOWN_FILES = 100_000

/** The artifacts below `{dataDir}/projects/{project}/builds/{buildId}/`. */
export interface DiskArtifacts extends Artifacts {
  /** Closes the files that are open. */
  close(): void
}

/** `cacheBytes` is the memory for contents of small files. */
export function createArtifacts(options: { dataDir: string; cacheBytes: number }): DiskArtifacts {
  return new PackedArtifacts(options.dataDir, options.cacheBytes)
}

class PackedArtifacts implements DiskArtifacts {
  readonly #dataDir: string
  readonly #packs = new OpenPacks(MAX_OPEN_PACKS)
  readonly #cache: ContentCache
  readonly #artifacts = new LRUCache<string, PackedArtifact>({
    maxSize: MAX_KNOWN_FILES,
    sizeCalculation: (artifact) => artifact.files.size + 1,
  })
  readonly #opening = new Map<string, Promise<PackedArtifact>>()
  readonly #compressing = new Map<string, Promise<void>>()

  constructor(dataDir: string, cacheBytes: number) {
    this.#dataDir = dataDir
    this.#cache = new ContentCache(cacheBytes)
  }

  async create(project: string, buildId: string): Promise<ArtifactWriter> {
    const files = artifactFiles(this.#dataDir, project, buildId)
    await makeDirectoryDurable(files.directory)
    await removeUnsealed(files.directory)
    return new PackedWriter(await PackWriter.create(files.content), {
      // A build that a killed server had sealed and not recorded is made again: its variants are of other bytes.
      before: () => rm(files.encoded, { force: true }),
      after: () => this.#forget(project, buildId, files),
    })
  }

  async open(project: string, buildId: string): Promise<Artifact> {
    const key = `${project}/${buildId}`
    return this.#artifacts.get(key) ?? this.#opening.get(key) ?? this.#openOnce(project, buildId, key)
  }

  #openOnce(project: string, buildId: string, key: string): Promise<PackedArtifact> {
    const opening = this.#read(project, buildId)
      .then((artifact) => {
        this.#artifacts.set(key, artifact)
        return artifact
      })
      .finally(() => this.#opening.delete(key))
    this.#opening.set(key, opening)
    return opening
  }

  async #read(project: string, buildId: string): Promise<PackedArtifact> {
    const files = artifactFiles(this.#dataDir, project, buildId)
    const index = await this.#packs.use(files.content, (pack) => pack.index)
    if (index === undefined) throw buildNotFound()
    const encodedIndex = await this.#packs.use(files.encoded, (pack) => pack.index)
    return new PackedArtifact({
      project,
      buildId,
      files,
      index,
      encodedIndex,
      packs: this.#packs,
      cache: this.#cache,
    })
  }

  async compress(project: string, buildId: string): Promise<void> {
    const key = `${project}/${buildId}`
    const underWay = this.#compressing.get(key)
    if (underWay !== undefined) return underWay
    const compressing = this.#compressOnce(project, buildId).finally(() => this.#compressing.delete(key))
    this.#compressing.set(key, compressing)
    return compressing
  }

  async #compressOnce(project: string, buildId: string): Promise<void> {
    const files = artifactFiles(this.#dataDir, project, buildId)
    const artifact = await this.open(project, buildId)
    const isThere = await this.#packs.use(files.encoded, () => true)
    if (!isThere) await writeEncodedPack(artifact, files.encoded)
    await this.#offerEncoded(`${project}/${buildId}`, files)
  }

  /** An artifact that was opened before the variants were there learns of them. */
  async #offerEncoded(key: string, files: ArtifactFiles): Promise<void> {
    const index = await this.#packs.use(files.encoded, (pack) => pack.index)
    const artifact = (await this.#opening.get(key)) ?? this.#artifacts.get(key)
    if (index !== undefined) artifact?.addEncoded(index)
  }

  async remove(project: string, buildId: string): Promise<void> {
    const files = artifactFiles(this.#dataDir, project, buildId)
    await rm(files.directory, { recursive: true, force: true })
    this.#forget(project, buildId, files)
    await syncDirectory(dirname(files.directory)).catch(ignoreAbsent)
  }

  #forget(project: string, buildId: string, files: ArtifactFiles): void {
    this.#artifacts.delete(`${project}/${buildId}`)
    this.#packs.forget(files.content)
    this.#packs.forget(files.encoded)
  }

  close(): void {
    this.#artifacts.clear()
    this.#packs.close()
  }
}

/** What a killed server had begun to write for this build. */
async function removeUnsealed(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.endsWith('.new')) await rm(join(directory, name), { force: true })
  }
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
