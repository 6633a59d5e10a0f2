import type { LogLine } from '../model/worker.ts'

const MAX_LINES = 2000
const MAX_BYTES = 512 * 1024

/** The last lines of a task, for finding out what went wrong. */
export class LogTail {
  #lines: LogLine[] = []
  #bytes = 0

  get lines(): readonly LogLine[] {
    return this.#lines
  }

  push(line: LogLine): void {
    this.#lines.push(line)
    this.#bytes += line.text.length
    if (this.#lines.length <= MAX_LINES && this.#bytes <= MAX_BYTES) return
    const dropped = this.#lines.splice(0, Math.ceil(this.#lines.length / 4))
    this.#bytes -= dropped.reduce((sum, { text }) => sum + text.length, 0)
  }
}
