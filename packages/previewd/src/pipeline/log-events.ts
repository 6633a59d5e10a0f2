import type { StampedLine } from '../build/live-log.ts'
import type { EventBus } from '../model/event.ts'

const BATCH_AFTER_MS = 100
const BATCH_LINES = 200
const BATCH_BYTES = 64 * 1024

/** What writes a log: a build, or a session or the server of a build, whose logs are kept nowhere else. */
export type LogSource = { buildId: string } | { session: true } | { server: true }

/** Publishes a log as events of many lines; what comes faster than that is dropped, or left to the log itself. */
export class LogEvents {
  readonly #publish: (data: LogSource & { lines: StampedLine[]; skipped?: number }) => void
  readonly #source: LogSource
  #lines: StampedLine[] = []
  #bytes = 0
  #skipped = 0
  #timer: NodeJS.Timeout | undefined

  constructor(events: EventBus, project: string, source: LogSource) {
    this.#source = source
    this.#publish = (data) => events.publish('log', project, data)
  }

  push(line: StampedLine): void {
    if (this.#lines.length >= BATCH_LINES || this.#bytes >= BATCH_BYTES) {
      this.#skipped++
      return
    }
    this.#lines.push(line)
    this.#bytes += line.text.length
    this.#timer ??= setTimeout(() => this.flush(), BATCH_AFTER_MS)
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#lines.length === 0) return
    const data = {
      ...this.#source,
      lines: this.#lines,
      ...(this.#skipped > 0 && { skipped: this.#skipped }),
    }
    this.#lines = []
    this.#bytes = 0
    this.#skipped = 0
    this.#publish(data)
  }
}
