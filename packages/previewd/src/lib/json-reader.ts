import { isUtf8 } from 'node:buffer'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const LETTER_U = 0x75
/** A pair of \u escapes: what one character can take at most. */
const LONGEST_ESCAPE = 12
const MAX_SCALAR_BYTES = 64
const SHORT_ESCAPES: ReadonlyMap<number, number> = new Map(
  Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }).map(
    ([letter, meaning]) => [letter.charCodeAt(0), meaning.charCodeAt(0)],
  ),
)

export class JsonSyntaxError extends Error {
  /** In bytes from the start of the text. */
  readonly position: number

  constructor(what: string, position: number) {
    super(`${what} at byte ${position}`)
    this.name = 'JsonSyntaxError'
    this.position = position
  }
}

/**
 * Reads JSON (RFC 8259) piece by piece as its bytes come, so that neither the text nor a long string in it is ever in
 * memory whole. The caller follows the shape that it expects; whatever is no JSON throws JsonSyntaxError.
 */
export class JsonReader {
  readonly #chunks: AsyncIterator<Buffer>
  #buffer: Buffer = Buffer.alloc(0)
  #at = 0
  #bufferStart = 0
  /** Bytes at the end of the last chunk that begin a character. */
  #begun: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  /** The next character that is no white space, which stays to be read; '' at the end. */
  async peek(): Promise<string> {
    for (;;) {
      for (; this.#at < this.#buffer.length; this.#at++) {
        const byte = this.#buffer[this.#at]
        if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)
          return String.fromCharCode(byte ?? 0)
      }
      if (!(await this.#more())) return ''
    }
  }

  /** Reads one of these characters; answers with which. */
  async take(...expected: string[]): Promise<string> {
    const found = await this.peek()
    if (!expected.includes(found))
      throw this.#error(found === '' ? 'Unexpected end' : `Unexpected "${found}"`)
    this.#at++
    return found
  }

  /** Reads an object; `onMember` has to read the value. */
  async object(onMember: (name: string) => Promise<void>, maxNameBytes: number): Promise<void> {
    await this.take('{')
    if ((await this.peek()) === '}') {
      await this.take('}')
      return
    }
    do {
      const name = await this.string(maxNameBytes)
      await this.take(':')
      await onMember(name)
    } while ((await this.take(',', '}')) === ',')
  }

  /** Reads an array; `onItem` has to read the value. */
  async array(onItem: () => Promise<void>): Promise<void> {
    await this.take('[')
    if ((await this.peek()) === ']') {
      await this.take(']')
      return
    }
    do await onItem()
    while ((await this.take(',', ']')) === ',')
  }

  /** Reads a string of at most so many bytes. Lone surrogates are kept, as JSON.parse does. */
  async string(maxBytes: number): Promise<string> {
    await this.take('"')
    let end = this.#at
    for (;;) {
      const byte = this.#buffer[end]
      if (byte === undefined) {
        const scanned = end - this.#at
        if (!(await this.#more())) throw this.#error('Unexpected end')
        end = this.#at + scanned
        continue
      }
      if (byte === QUOTE) break
      end += byte === BACKSLASH ? 2 : 1
      if (end - this.#at > maxBytes) throw this.#error(`A string longer than ${maxBytes} bytes`)
    }
    const literal = `"${this.#buffer.toString('utf8', this.#at, end)}"`
    const value = this.#parse(literal) as string
    this.#at = end + 1
    return value
  }

  /** Reads a number, true, false or null. */
  async scalar(): Promise<unknown> {
    await this.peek()
    let length = 0
    for (;;) {
      const byte = this.#buffer[this.#at + length]
      if (byte === undefined && (await this.#more())) continue
      if (byte === undefined || !/[\w.+-]/.test(String.fromCharCode(byte))) break
      if (++length > MAX_SCALAR_BYTES) throw this.#error('A value that is too long')
    }
    const value = this.#parse(this.#buffer.toString('latin1', this.#at, this.#at + length))
    this.#at += length
    return value
  }

  /** Reads a string of any length as UTF-8 chunks; a lone surrogate becomes U+FFFD. */
  async *content(): AsyncGenerator<Buffer, void, undefined> {
    await this.take('"')
    for (;;) {
      const decoded = Buffer.allocUnsafe(this.#buffer.length - this.#at)
      const sizeBytes = this.#decodeRun(decoded)
      if (sizeBytes > 0) yield decoded.subarray(0, sizeBytes)
      if (this.#buffer[this.#at] === QUOTE) break
      const atEscape = this.#buffer[this.#at] === BACKSLASH
      const more = await this.#more()
      if (!more && !atEscape) throw this.#error('Unexpected end')
      // The text ends soon after the escape: it is shorter than the longest one.
      if (!more) yield this.#decodeEscape()
    }
    this.#at++
  }

  /** Nothing but white space may follow. */
  async end(): Promise<void> {
    const found = await this.peek()
    if (found !== '') throw this.#error(`Unexpected "${found}"`)
  }

  /** Decodes up to the end of the string or of the buffer, or to an escape that the buffer may not hold whole. */
  #decodeRun(target: Buffer): number {
    const buffer = this.#buffer
    let sizeBytes = 0
    while (this.#at < buffer.length) {
      const byte = buffer[this.#at] ?? 0
      if (byte === QUOTE) break
      if (byte === BACKSLASH) {
        if (buffer.length - this.#at < LONGEST_ESCAPE) break
        sizeBytes += this.#decodeEscape().copy(target, sizeBytes)
        continue
      }
      if (byte < 0x20) throw this.#error('A control character in a string')
      target[sizeBytes++] = byte
      this.#at++
    }
    return sizeBytes
  }

  #decodeEscape(): Buffer {
    const letter = this.#buffer[this.#at + 1]
    const meaning = letter === undefined ? undefined : SHORT_ESCAPES.get(letter)
    if (meaning !== undefined) {
      this.#at += 2
      return Buffer.of(meaning)
    }
    if (letter !== LETTER_U) throw this.#error(letter === undefined ? 'Unexpected end' : 'An unknown escape')
    const first = this.#codeUnit(this.#at)
    const second =
      first >= 0xd800 && first <= 0xdbff && this.#isEscape(this.#at + 6) ? this.#codeUnit(this.#at + 6) : 0
    const pair = second >= 0xdc00 && second <= 0xdfff
    this.#at += pair ? 12 : 6
    return Buffer.from(pair ? String.fromCharCode(first, second) : String.fromCharCode(first))
  }

  #isEscape(at: number): boolean {
    return this.#buffer[at] === BACKSLASH && this.#buffer[at + 1] === LETTER_U
  }

  #codeUnit(at: number): number {
    const digits = this.#buffer.toString('latin1', at + 2, at + 6)
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#error('An unknown escape')
    return Number.parseInt(digits, 16)
  }

  #parse(literal: string): unknown {
    try {
      return JSON.parse(literal)
    } catch {
      throw this.#error(literal === '' ? 'Unexpected character or end' : 'A value that is not JSON')
    }
  }

  /** Adds the next chunk to what is left; false at the end of the text. */
  async #more(): Promise<boolean> {
    const { value, done } = await this.#chunks.next()
    if (done) {
      if (this.#begun.length > 0) throw this.#error('Text that is not UTF-8')
      return false
    }
    const chunk = this.#begun.length > 0 ? Buffer.concat([this.#begun, value]) : value
    const whole = chunk.length - unfinishedBytes(chunk)
    this.#begun = chunk.subarray(whole)
    const rest = this.#buffer.subarray(this.#at)
    this.#bufferStart += this.#at
    this.#buffer =
      rest.length > 0 ? Buffer.concat([rest, chunk.subarray(0, whole)]) : chunk.subarray(0, whole)
    this.#at = 0
    if (!isUtf8(this.#buffer)) throw this.#error('Text that is not UTF-8')
    return true
  }

  #error(what: string): JsonSyntaxError {
    return new JsonSyntaxError(what, this.#bufferStart + this.#at)
  }
}

/** How many bytes at the end begin a character of UTF-8 that goes on in the next chunk. */
function unfinishedBytes(chunk: Buffer): number {
  for (let back = 1; back <= Math.min(3, chunk.length); back++) {
    const byte = chunk[chunk.length - back] ?? 0
    if (byte < 0x80) return 0
    if (byte < 0xc0) continue
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    return needed > back ? back : 0
  }
  return 0
}
