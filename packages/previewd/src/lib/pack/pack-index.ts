/** One file of a pack. The offset is no property of its own, so that it does not leak into JSON or copies. */
export class PackEntry {
  readonly path: string
  readonly size: number
  /** Lower-case hex. */
  readonly sha256: string
  readonly #offset: number

  constructor(path: string, size: number, sha256: string, offset: number) {
    this.path = path
    this.size = size
    this.sha256 = sha256
    this.#offset = offset
  }

  /** Where its content stands in the pack. */
  get offset(): number {
    return this.#offset
  }
}

/** path -> entry, in the order of the paths' UTF-16 code units. */
export type PackIndex = ReadonlyMap<string, PackEntry>

const HASH_BYTES = 32
const MAX_VARINT_BYTES = 8

/**
 * Entries as bytes: their number, then for each the length of the prefix it shares with the path before, the rest of
 * the path in UTF-8, size, offset, sha256. Numbers are LEB128.
 */
export function encodeIndex(index: PackIndex): Buffer {
  let bound = MAX_VARINT_BYTES
  for (const path of index.keys()) bound += 4 * MAX_VARINT_BYTES + 3 * path.length + HASH_BYTES
  const buffer = Buffer.allocUnsafe(bound)
  let at = writeNumber(buffer, 0, index.size)
  let before = ''
  for (const entry of index.values()) {
    const shared = sharedPrefixLength(before, entry.path)
    const rest = entry.path.slice(shared)
    at = writeNumber(buffer, at, shared)
    at = writeNumber(buffer, at, Buffer.byteLength(rest))
    at += buffer.write(rest, at)
    at = writeNumber(buffer, at, entry.size)
    at = writeNumber(buffer, at, entry.offset)
    at += buffer.write(entry.sha256, at, 'hex')
    before = entry.path
  }
  return Buffer.from(buffer.subarray(0, at))
}

/** The inverse of encodeIndex; throws where the bytes are not an index. */
export function decodeIndex(buffer: Buffer): Map<string, PackEntry> {
  const reader = new Reader(buffer)
  const count = reader.number()
  const index = new Map<string, PackEntry>()
  let before = ''
  for (let i = 0; i < count; i++) {
    const path = before.slice(0, reader.number()) + reader.bytes(reader.number()).toString()
    const size = reader.number()
    const offset = reader.number()
    index.set(path, new PackEntry(path, size, reader.bytes(HASH_BYTES).toString('hex'), offset))
    before = path
  }
  return index
}

class Reader {
  readonly #buffer: Buffer
  #at = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  number(): number {
    let value = 0
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      const byte = this.#buffer[this.#at++]
      if (byte === undefined) throw new Error('The index of the pack ends too early.')
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    throw new Error('The index of the pack holds a number that is too large.')
  }

  bytes(count: number): Buffer {
    const end = this.#at + count
    if (end > this.#buffer.length) throw new Error('The index of the pack ends too early.')
    const bytes = this.#buffer.subarray(this.#at, end)
    this.#at = end
    return bytes
  }
}

function writeNumber(buffer: Buffer, at: number, value: number): number {
  let rest = value
  let next = at
  while (rest >= 128) {
    buffer[next++] = (rest % 128) | 128
    rest = Math.floor(rest / 128)
  }
  buffer[next++] = rest
  return next
}

/** In code units, never between the halves of a surrogate pair: each part has to be valid UTF-8 of its own. */
function sharedPrefixLength(before: string, path: string): number {
  const bound = Math.min(before.length, path.length)
  let length = 0
  while (length < bound && before.charCodeAt(length) === path.charCodeAt(length)) length++
  const last = length > 0 ? path.charCodeAt(length - 1) : 0
  return last >= 0xd800 && last <= 0xdbff ? length - 1 : length
}
