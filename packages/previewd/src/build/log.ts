import { appendFile, type FileHandle, mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { KeyedQueue } from '../lib/keyed-queue.ts'
import { toPlainText } from '../lib/plain-text.ts'
import type { LogLine } from '../model/worker.ts'
import { cutText } from './cut-text.ts'

/** A line of a build log; `at` is ISO 8601 UTC. */
export type StampedLine = LogLine & { at: string }

const MAX_LINE_BYTES = 8 * 1024
/** What a line costs besides its text; empty lines would be without a bound otherwise. */
const LINE_OVERHEAD_BYTES = 64
const MAX_VIEWS_WAITING = 16
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

export interface BuildLogsOptions {
  dataDir: string
  logBytes: number
}

/**
 * The logs of builds: `projects/{id}/builds/{buildId}/build.log` holds one JSON line for each line; the newest
 * build's log stands as plain text in `projects/{id}/build.log`, with `.build-status` beside it, for shell tools.
 */
export class BuildLogs {
  readonly #options: BuildLogsOptions
  /** Two writes of one file at once would share their temporary file. */
  readonly #views = new KeyedQueue(MAX_VIEWS_WAITING, () => new Error('too many writes of a view wait'))
  /** One for each build that runs. */
  readonly #live = new Map<string, LiveLog>()

  constructor(options: BuildLogsOptions) {
    this.#options = options
  }

  /** Starts the log of a build anew. */
  async open(project: string, buildId: string): Promise<LiveLog> {
    const file = this.#file(project, buildId)
    await rm(file, { force: true })
    const log = new LiveLog(file, this.#options.logBytes)
    this.#live.set(buildId, log)
    return log
  }

  async close(project: string, buildId: string): Promise<void> {
    const log = this.#live.get(buildId)
    if (!log) return
    await log.close()
    this.#live.delete(buildId)
    await this.#view(project, 'build.log', log.lines.map(({ text }) => `${text}\n`).join(''))
  }

  /** The lines of a build, with `follow` until it ends; empty where none were kept. */
  read(
    project: string,
    buildId: string,
    options: { follow?: boolean; signal?: AbortSignal },
  ): AsyncIterable<StampedLine> {
    const live = this.#live.get(buildId)
    if (!live) return readLines(this.#file(project, buildId))
    return options.follow ? live.follow(options.signal) : fromArray([...live.lines])
  }

  async setStatus(project: string, status: 'building' | 'ready' | 'error'): Promise<void> {
    await this.#view(project, '.build-status', `${status}\n`)
  }

  /** These files are views for people; what the server knows does not depend on them. */
  async #view(project: string, name: string, text: string): Promise<void> {
    const file = join(this.#options.dataDir, 'projects', project, name)
    await this.#views.run(file, () => replaceFile(file, text)).catch(() => undefined)
  }

  #file(project: string, buildId: string): string {
    return join(this.#options.dataDir, 'projects', project, 'builds', buildId, 'build.log')
  }
}

async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`
  await writeFile(temporary, text, { mode: 0o644 })
  await rename(temporary, file)
}

async function* fromArray<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

async function* readLines(file: string): AsyncGenerator<StampedLine> {
  const handle = await openExisting(file)
  if (!handle) return
  try {
    for await (const text of handle.readLines({ encoding: 'utf8' })) {
      const line = parseLine(text)
      if (line) yield line
    }
  } finally {
    await handle.close()
  }
}

async function openExisting(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** A server that was killed leaves a last line that is cut. */
function parseLine(text: string): StampedLine | undefined {
  try {
    return JSON.parse(text) as StampedLine
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
