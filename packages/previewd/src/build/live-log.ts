import { appendFile, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { toPlainText } from '../lib/plain-text.ts'
import type { LogLine } from '../model/worker.ts'
import { cutText } from './cut-text.ts'
import { replaceFile } from './replace-file.ts'

/** A line of a build log; `at` is ISO 8601 UTC. */
export type StampedLine = LogLine & { at: string }

const MAX_LINE_BYTES = 8 * 1024
/** What a line costs besides its text; empty lines would be without a bound otherwise. */
const LINE_OVERHEAD_BYTES = 64
const WRITE_AFTER_MS = 100

/** The log of a build that runs: the newest lines up to a size in memory, and all of them on their way to a file. */
export class LiveLog {
  readonly #file: string
  readonly #maxBytes: number
  #lines: StampedLine[] = []
  #bytes = 0
  /** Lines that were there before the first of #lines. */
  #dropped = 0
  #unwritten = ''
  #writtenBytes = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #changed = Promise.withResolvers<void>()
  #closed = false

  constructor(file: string, maxBytes: number) {
    this.#file = file
    this.#maxBytes = maxBytes
  }

  get lines(): readonly StampedLine[] {
    return this.#lines
  }

  append(line: LogLine): StampedLine {
    const text = cutText(toPlainText(line.text).replaceAll('\n', ' '), MAX_LINE_BYTES)
    const stamped = { at: new Date().toISOString(), stream: line.stream, text }
    if (this.#closed) return stamped
    this.#lines.push(stamped)
    this.#bytes += text.length + LINE_OVERHEAD_BYTES
    if (this.#bytes > this.#maxBytes) this.#dropOldest()
    this.#unwritten += `${JSON.stringify(stamped)}\n`
    this.#timer ??= setTimeout(() => this.#write(), WRITE_AFTER_MS).unref()
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
    return stamped
  }

  /** Lines kept so far, then those that come, until the build ends or the signal aborts. */
  async *follow(signal?: AbortSignal): AsyncGenerator<StampedLine> {
    const aborted =
      signal &&
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    for (let next = 0; !signal?.aborted; ) {
      next = Math.max(next, this.#dropped)
      const line = this.#lines[next - this.#dropped]
      if (line) {
        next++
        yield line
      } else if (this.#closed) {
        return
      } else {
        await Promise.race([this.#changed.promise, ...(aborted ? [aborted] : [])])
      }
    }
  }

  /** Ends the log; resolves when the file holds what is kept. A disk that is full costs the file, not the build. */
  async close(): Promise<void> {
    this.#closed = true
    this.#changed.resolve()
    this.#write()
    await this.#writing
  }

  /** A quarter at once: taking single lines off the front of a long list costs its length each time. */
  #dropOldest(): void {
    let count = 0
    while (this.#bytes > this.#maxBytes * 0.75 && count < this.#lines.length - 1) {
      this.#bytes -= (this.#lines[count]?.text.length ?? 0) + LINE_OVERHEAD_BYTES
      count++
    }
    this.#lines.splice(0, count)
    this.#dropped += count
  }

  #write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const text = this.#unwritten
    this.#unwritten = ''
    const tooLarge = this.#writtenBytes + text.length > 2 * this.#maxBytes
    this.#writing = this.#writing
      .then(() => (tooLarge ? this.#rewrite() : this.#append(text)))
      .catch(() => undefined)
  }

  async #append(text: string): Promise<void> {
    this.#writtenBytes += text.length
    await mkdir(dirname(this.#file), { recursive: true })
    await appendFile(this.#file, text, { mode: 0o600 })
  }

  async #rewrite(): Promise<void> {
    const text = this.#lines.map((line) => `${JSON.stringify(line)}\n`).join('')
    this.#writtenBytes = text.length
    await mkdir(dirname(this.#file), { recursive: true })
    await replaceFile(this.#file, text)
  }
}
