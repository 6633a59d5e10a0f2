import { createHash, hash } from 'node:crypto'

/*
 * A pack is an append-only file: a header, then commits. A commit is the content that it adds, one after the other,
 * then the index of everything alive, then a trailer of fixed size. A commit counts when its trailer is whole and
 * names the end of the commit before as its start; whatever follows the last commit that counts is torn.
 *
 * The random id of the pack stands in each trailer, so that content which looks like a trailer is never taken for one.
 */
export const HEADER_BYTES = 32
export const TRAILER_BYTES = 128

const VERSION = 1
const ID_BYTES = 16
const HEADER_MAGIC = Buffer.from('PACKFILE', 'latin1')
const TRAILER_MAGIC = Buffer.from('PACKTAIL', 'latin1')
const SUMMED_BYTES = TRAILER_BYTES - 32

export interface Trailer {
  /** Number that the writer gave the commit. */
  sequence: number
  /** Where the commit begins. */
  start: number
  indexOffset: number
  indexBytes: number
  /** sha256 of the index, 32 bytes. */
  indexHash: Buffer
}

export function encodeHeader(id: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  HEADER_MAGIC.copy(header)
  header.writeUInt32LE(VERSION, 8)
  id.copy(header, 16, 0, ID_BYTES)
  return header
}

/** The id of the pack; undefined where this is not the header of one. */
export function decodeHeader(header: Buffer): Buffer | undefined {
  if (header.length < HEADER_BYTES || !header.subarray(0, 8).equals(HEADER_MAGIC)) return undefined
  if (header.readUInt32LE(8) !== VERSION) return undefined
  return Buffer.from(header.subarray(16, 16 + ID_BYTES))
}

/** What every trailer of a pack begins with. */
export function trailerPrefix(id: Buffer): Buffer {
  const prefix = Buffer.alloc(32)
  TRAILER_MAGIC.copy(prefix)
  prefix.writeUInt32LE(VERSION, 8)
  id.copy(prefix, 16, 0, ID_BYTES)
  return prefix
}

export function encodeTrailer(id: Buffer, trailer: Trailer): Buffer {
  const encoded = Buffer.alloc(TRAILER_BYTES)
  trailerPrefix(id).copy(encoded)
  encoded.writeBigUInt64LE(BigInt(trailer.sequence), 32)
  encoded.writeBigUInt64LE(BigInt(trailer.start), 40)
  encoded.writeBigUInt64LE(BigInt(trailer.indexOffset), 48)
  encoded.writeBigUInt64LE(BigInt(trailer.indexBytes), 56)
  trailer.indexHash.copy(encoded, 64)
  sha256(encoded.subarray(0, SUMMED_BYTES)).copy(encoded, SUMMED_BYTES)
  return encoded
}

/** The trailer that stands at `offset` of the file; undefined where those bytes are not a whole one of this pack. */
export function decodeTrailer(id: Buffer, encoded: Buffer, offset: number): Trailer | undefined {
  if (encoded.length < TRAILER_BYTES || !encoded.subarray(0, 32).equals(trailerPrefix(id))) return undefined
  const sum = sha256(encoded.subarray(0, SUMMED_BYTES))
  if (!sum.equals(encoded.subarray(SUMMED_BYTES, TRAILER_BYTES))) return undefined
  const trailer = {
    sequence: Number(encoded.readBigUInt64LE(32)),
    start: Number(encoded.readBigUInt64LE(40)),
    indexOffset: Number(encoded.readBigUInt64LE(48)),
    indexBytes: Number(encoded.readBigUInt64LE(56)),
    indexHash: Buffer.from(encoded.subarray(64, 96)),
  }
  const ordered = trailer.start >= HEADER_BYTES && trailer.indexOffset >= trailer.start
  return ordered && trailer.indexOffset + trailer.indexBytes === offset ? trailer : undefined
}

export function sha256(content: Buffer): Buffer {
  return hash('sha256', content, 'buffer')
}

export function newSha256(): ReturnType<typeof createHash> {
  return createHash('sha256')
}
