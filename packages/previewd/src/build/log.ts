import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { KeyedQueue } from '../lib/keyed-queue.ts'
import { LiveLog, type StampedLine } from './live-log.ts'
import { replaceFile } from './replace-file.ts'

const MAX_VIEWS_WAITING = 16

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
