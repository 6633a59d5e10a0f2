import { randomBytes } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { readFully, writeFully } from '../file-io.ts'
import { writeCommitEnd } from './commit-end.ts'
import { type Commit, findLastCommit, readCommit } from './find-commit.ts'
import { decodeHeader, encodeHeader, HEADER_BYTES } from './format.ts'
import { PackEntry, type PackIndex } from './pack-index.ts'
import { SequentialWriter } from './sequential-writer.ts'

const CHUNK_BYTES = 1024 * 1024

/** One file to be added: its content in memory, or the place in a file that holds it. The hash is relied on. */
export interface Addition {
  path: string
  size: number
  sha256: string
  content: Buffer | { file: string; offset: number }
}

/** A pack was opened that is known to have held newer commits than can be read from it; nothing was mended. */
export class PackDamaged extends Error {
  constructor(path: string, found: number, known: number) {
    super(`The pack ${path} has commit ${found}; commit ${known} cannot be read.`)
    this.name = 'PackDamaged'
  }
}

export interface OpenOptions {
  /** Where a commit was known to end: nothing before it is checked again, so that opening costs two reads. */
  knownBytes?: number
  /** Makes commits after `knownBytes` durable and cuts a torn tail off. */
  repair?: boolean
  /** Rejects with PackDamaged where the last commit has a lower number. */
  atLeast?: number
}

export interface ByteRange {
  start: number
  end: number
}

/**
 * An open pack: many files in one, immutable but for whole commits at its end (see format.ts). One holder may append
 * or copy at a time; any number may read, each by the index that it took, also after newer commits. Counted:
 * whoever keeps it calls `retain`, and the last `release` closes it. Removing or replacing the file on disk does not
 * disturb those who hold it.
 */
export class PackFile {
  readonly #file: FileHandle
  readonly #id: Buffer
  #commit: Commit
  #holders = 1

  private constructor(file: FileHandle, id: Buffer, commit: Commit) {
    this.#file = file
    this.#id = id
    this.#commit = commit
  }

  /** A new, empty pack at sequence 0; durable only once something was appended. Replaces what was there. */
  static async create(path: string): Promise<PackFile> {
    const id = randomBytes(16)
    const file = await open(path, 'w+', 0o600)
    try {
      await writeFully(file, 0, encodeHeader(id))
    } catch (error) {
      await file.close()
      throw error
    }
    return new PackFile(file, id, emptyCommit())
  }

  /** Opens a pack at its last commit. Undefined where there is no file, or no commit in it. */
  static async open(path: string, options: OpenOptions = {}): Promise<PackFile | undefined> {
    const file = await openExisting(path, options.repair ? 'r+' : 'r')
    if (file === undefined) return undefined
    try {
      const { size } = await file.stat()
      const id = size < HEADER_BYTES ? undefined : decodeHeader(await readFully(file, 0, HEADER_BYTES))
      const commit = id && (await lastCommit(file, id, size, options.knownBytes))
      if (id === undefined || commit === undefined) {
        await file.close()
        return undefined
      }
      if (commit.sequence < (options.atLeast ?? 0)) {
        throw new PackDamaged(path, commit.sequence, options.atLeast ?? 0)
      }
      if (options.repair && (commit.end !== size || commit.end !== options.knownBytes)) {
        await file.truncate(commit.end)
        await file.datasync()
      }
      return new PackFile(file, id, commit)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get index(): PackIndex {
    return this.#commit.index
  }

  get sequence(): number {
    return this.#commit.sequence
  }

  /** Bytes up to the end of the last commit. */
  get sizeBytes(): number {
    return this.#commit.end
  }

  /** Bytes that a copy would not have: removed content and older indexes. */
  garbageBytes(): number {
    const offsets = new Set<number>()
    let liveBytes = HEADER_BYTES + this.#commit.overheadBytes
    for (const entry of this.#commit.index.values()) {
      // An empty file stands where the next content does.
      if (entry.size === 0 || offsets.has(entry.offset)) continue
      offsets.add(entry.offset)
      liveBytes += entry.size
    }
    return this.#commit.end - liveBytes
  }

  /**
   * Adds and removes files as one commit, durable when it resolves. Content that the pack already has is not written
   * again. When it rejects, the pack is as it was.
   */
  async append(
    sequence: number,
    additions: readonly Addition[],
    removed: ReadonlySet<string>,
  ): Promise<void> {
    const before = this.#commit
    try {
      const writer = new SequentialWriter(this.#file, before.end)
      const added = await this.#writeContent(writer, additions)
      const index = mergeIndex(before.index, added, removed)
      const target = { file: this.#file, id: this.#id, writer }
      this.#commit = await writeCommitEnd(target, { sequence, start: before.end, index })
    } catch (error) {
      await this.#cutTo(before)
      throw error
    }
  }

  /** Takes the last `append` back, given what `sizeBytes` was before it. */
  async revert(to: { sizeBytes: number }): Promise<void> {
    const commit =
      to.sizeBytes === HEADER_BYTES ? emptyCommit() : await readCommit(this.#file, this.#id, to.sizeBytes)
    if (commit === undefined) throw new Error(`No commit of the pack ends at byte ${to.sizeBytes}.`)
    await this.#file.truncate(commit.end)
    await this.#file.datasync()
    this.#commit = commit
  }

  /**
   * Writes what is alive into a new pack at `path`, durable when it resolves (its name is not). Undefined where
   * `shouldStop` said so; then, and when it rejects, the caller removes what is at `path`.
   */
  async copyTo(path: string, shouldStop: () => boolean = () => false): Promise<PackFile | undefined> {
    const copy = await PackFile.create(path)
    try {
      const writer = new SequentialWriter(copy.#file, HEADER_BYTES)
      const offsets = new Map<number, number>()
      const index = new Map<string, PackEntry>()
      for (const entry of this.#commit.index.values()) {
        const known = entry.size === 0 ? undefined : offsets.get(entry.offset)
        const offset = known ?? writer.offset
        index.set(entry.path, new PackEntry(entry.path, entry.size, entry.sha256, offset))
        // An empty file stands where the next content does, which is still to be copied.
        if (known !== undefined || entry.size === 0) continue
        offsets.set(entry.offset, offset)
        for await (const chunk of this.stream(entry)) {
          if (shouldStop()) {
            await copy.release()
            return undefined
          }
          await writer.write(chunk)
        }
      }
      const target = { file: copy.#file, id: copy.#id, writer }
      copy.#commit = await writeCommitEnd(target, { sequence: this.sequence, start: HEADER_BYTES, index })
      return copy
    } catch (error) {
      await copy.release()
      throw error
    }
  }

  /** Bytes [start, end) of one file's content, all of it by default. */
  async read(entry: PackEntry, range: ByteRange = { start: 0, end: entry.size }): Promise<Buffer> {
    return readFully(this.#file, entry.offset + range.start, range.end - range.start)
  }

  /** Content in chunks of at most 1 MiB. */
  async *stream(entry: PackEntry): AsyncGenerator<Buffer, void, undefined> {
    for (let start = 0; start < entry.size; start += CHUNK_BYTES) {
      yield await this.read(entry, { start, end: Math.min(entry.size, start + CHUNK_BYTES) })
    }
  }

  /** Bytes of the file itself, whatever they belong to; for reading ahead. */
  async readRaw(offset: number, sizeBytes: number): Promise<Buffer> {
    return readFully(this.#file, offset, Math.min(sizeBytes, this.#commit.end - offset))
  }

  retain(): this {
    if (this.#holders === 0) throw new Error('The pack is closed.')
    this.#holders++
    return this
  }

  async release(): Promise<void> {
    if (this.#holders === 0) throw new Error('The pack was released too often.')
    this.#holders--
    if (this.#holders === 0) await this.#file.close()
  }

  async #writeContent(
    writer: SequentialWriter,
    additions: readonly Addition[],
  ): Promise<Map<string, PackEntry>> {
    const known = new Map<string, number>()
    for (const entry of this.#commit.index.values()) known.set(entry.sha256, entry.offset)
    const added = new Map<string, PackEntry>()
    try {
      for (const addition of additions) {
        const { path, size, sha256 } = addition
        const offset = known.get(sha256) ?? (await writeAddition(writer, addition))
        known.set(sha256, offset)
        added.set(path, new PackEntry(path, size, sha256, offset))
      }
    } finally {
      await writer.closeSource()
    }
    return added
  }

  /**
   * Best effort after a failed write: a tail that stays is overwritten by the next commit or cut when the pack is
   * next opened, and without a whole trailer it never counts.
   */
  async #cutTo(commit: Commit): Promise<void> {
    this.#commit = commit
    await this.#file.truncate(commit.end).catch(() => undefined)
  }
}

/** Answers with where the content begins in the pack. */
async function writeAddition(writer: SequentialWriter, { path, size, content }: Addition): Promise<number> {
  const { offset } = writer
  if (Buffer.isBuffer(content)) await writer.write(content)
  else await writer.copyFrom(content, size)
  if (writer.offset !== offset + size) throw new Error(`The content of ${path} is not ${size} bytes long.`)
  return offset
}

function emptyCommit(): Commit {
  return { sequence: 0, end: HEADER_BYTES, overheadBytes: 0, index: new Map() }
}

async function openExisting(path: string, flags: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, flags)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function lastCommit(
  file: FileHandle,
  id: Buffer,
  sizeBytes: number,
  knownBytes = 0,
): Promise<Commit | undefined> {
  const known = knownBytes <= sizeBytes ? await readCommit(file, id, knownBytes) : undefined
  if (known?.end === sizeBytes) return known
  return (await findLastCommit(file, id, known?.end ?? HEADER_BYTES, sizeBytes)) ?? known
}

/** Both sides are walked in the order of their paths, which the merged index keeps. */
function mergeIndex(
  before: PackIndex,
  added: ReadonlyMap<string, PackEntry>,
  removed: ReadonlySet<string>,
): Map<string, PackEntry> {
  const fresh = [...added.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  const merged = new Map<string, PackEntry>()
  let next = 0
  for (const entry of before.values()) {
    for (let other = fresh[next]; other && other.path < entry.path; other = fresh[++next])
      merged.set(other.path, other)
    if (!added.has(entry.path) && !removed.has(entry.path)) merged.set(entry.path, entry)
  }
  for (const other of fresh.slice(next)) merged.set(other.path, other)
  return merged
}
