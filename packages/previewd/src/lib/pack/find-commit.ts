import type { FileHandle } from 'node:fs/promises'
import { readFully } from '../file-io.ts'
import {
  decodeTrailer,
  HEADER_BYTES,
  newSha256,
  sha256,
  TRAILER_BYTES,
  type Trailer,
  trailerPrefix,
} from './format.ts'
import { decodeIndex, type PackEntry } from './pack-index.ts'

const SCAN_BYTES = 1024 * 1024

export interface Commit {
  sequence: number
  /** Where the commit ends; the next one begins there. */
  end: number
  /** Bytes of its index and trailer. */
  overheadBytes: number
  index: Map<string, PackEntry>
}

/** The commit that ends at `end`; undefined where none does. Content is not read. */
export async function readCommit(file: FileHandle, id: Buffer, end: number): Promise<Commit | undefined> {
  const offset = end - TRAILER_BYTES
  if (offset < HEADER_BYTES) return undefined
  // One read brings trailer and index of most packs.
  const tailStart = Math.max(HEADER_BYTES, end - 64 * 1024)
  const tail = await readFully(file, tailStart, end - tailStart)
  const trailer = decodeTrailer(id, tail.subarray(tail.length - TRAILER_BYTES), offset)
  if (trailer === undefined) return undefined
  const encoded =
    trailer.indexOffset >= tailStart
      ? tail.subarray(trailer.indexOffset - tailStart, offset - tailStart)
      : await readFully(file, trailer.indexOffset, trailer.indexBytes)
  return toCommit(trailer, encoded, end)
}

/**
 * The last commit that counts, looked for from `from` on (the end of a commit that is known to count, or the end of
 * the header). A commit found on the way counts when everything that it added has the hash that its index gives it.
 */
export async function findLastCommit(
  file: FileHandle,
  id: Buffer,
  from: number,
  sizeBytes: number,
): Promise<Commit | undefined> {
  let last: Commit | undefined
  let start = from
  for (;;) {
    const next = await findNextCommit(file, id, start, sizeBytes)
    if (next === undefined) return last
    last = next
    start = next.end
  }
}

async function findNextCommit(
  file: FileHandle,
  id: Buffer,
  start: number,
  sizeBytes: number,
): Promise<Commit | undefined> {
  const prefix = trailerPrefix(id)
  for (let at = start; at + TRAILER_BYTES <= sizeBytes; ) {
    const chunk = await readFully(file, at, Math.min(SCAN_BYTES, sizeBytes - at))
    const found = chunk.indexOf(prefix)
    if (found === -1) {
      at += Math.max(1, chunk.length - prefix.length + 1)
      continue
    }
    const offset = at + found
    if (offset + TRAILER_BYTES > sizeBytes) return undefined
    const trailer = decodeTrailer(id, await readFully(file, offset, TRAILER_BYTES), offset)
    if (trailer === undefined || trailer.start !== start) {
      // What an overwritten commit left behind, or content that is a copy of this very pack.
      at = offset + 1
      continue
    }
    const encoded = await readFully(file, trailer.indexOffset, trailer.indexBytes)
    const commit = toCommit(trailer, encoded, offset + TRAILER_BYTES)
    return commit && (await contentIsWhole(file, commit, trailer)) ? commit : undefined
  }
  return undefined
}

function toCommit(trailer: Trailer, encoded: Buffer, end: number): Commit | undefined {
  if (!sha256(encoded).equals(trailer.indexHash)) return undefined
  const overheadBytes = trailer.indexBytes + TRAILER_BYTES
  return { sequence: trailer.sequence, end, overheadBytes, index: decodeIndex(encoded) }
}

/** Blocks of one write can reach the disk in any order, so a whole trailer does not prove the content before it. */
async function contentIsWhole(file: FileHandle, commit: Commit, trailer: Trailer): Promise<boolean> {
  const checked = new Set<number>()
  for (const entry of commit.index.values()) {
    if (entry.size === 0 || entry.offset < trailer.start || checked.has(entry.offset)) continue
    checked.add(entry.offset)
    if (entry.offset + entry.size > trailer.indexOffset) return false
    const sum = newSha256()
    for (let done = 0; done < entry.size; done += SCAN_BYTES) {
      sum.update(await readFully(file, entry.offset + done, Math.min(SCAN_BYTES, entry.size - done)))
    }
    if (sum.digest('hex') !== entry.sha256) return false
  }
  return true
}
