import type { InstallProgress } from '../model/environment.ts'

export interface PnpmError {
  code: string
  message: string
}

const MAX_ERRORS = 20
const ANNOUNCE_EVERY = 10

/**
 * Reads what pnpm says with `--reporter=ndjson`: one JSON object a line on stderr, named `pnpm:…`. Lines that are
 * something else are kept for the log.
 */
export class PnpmOutput {
  readonly errors: PnpmError[] = []
  readonly #onProgress: (progress: InstallProgress) => void
  readonly #onLog: (line: string) => void
  readonly #counts = { resolved: 0, fetched: 0 }

  constructor(onProgress: (progress: InstallProgress) => void, onLog: (line: string) => void) {
    this.#onProgress = onProgress
    this.#onLog = onLog
  }

  read(line: string): void {
    const event = parseEvent(line)
    if (event === undefined) {
      if (line.trim() !== '') this.#onLog(line)
      return
    }
    if (event.name === 'pnpm:progress') this.#count(event.status)
    if (event.name === 'pnpm:stage') this.#announceStage(event.stage)
    if (event.name === 'pnpm' || event.level === 'error' || event.level === 'warn') this.#keep(event)
  }

  #count(status: unknown): void {
    const counts = this.#counts
    if (status === 'resolved') counts.resolved++
    else if (status === 'fetched' || status === 'found_in_store') counts.fetched++
    else return
    const { resolved, fetched } = counts
    if ((resolved + fetched) % ANNOUNCE_EVERY !== 0) return
    if (fetched > 0)
      this.#onProgress({ phase: 'fetching', done: fetched, total: Math.max(resolved, fetched) })
    else this.#onProgress({ phase: 'resolving', done: resolved })
  }

  #announceStage(stage: unknown): void {
    const { resolved, fetched } = this.#counts
    if (stage === 'resolution_started') this.#onProgress({ phase: 'resolving', done: resolved })
    if (stage === 'importing_started' && fetched > 0) {
      this.#onProgress({ phase: 'fetching', done: fetched, total: Math.max(resolved, fetched) })
    }
    if (stage === 'importing_done') {
      const total = Math.max(resolved, fetched)
      this.#onProgress({ phase: 'linking', done: total, total })
    }
  }

  #keep(event: Record<string, unknown>): void {
    const { level, code } = event
    const message = typeof event.message === 'string' ? event.message : undefined
    if (message === undefined) return
    const prefix = typeof code === 'string' ? `${code} ` : ''
    for (const line of `${prefix}${message}`.split('\n')) this.#onLog(line)
    if (level === 'error' && this.errors.length < MAX_ERRORS) {
      this.errors.push({ code: typeof code === 'string' ? code : 'ERR_PNPM', message })
    }
  }
}

function parseEvent(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    // Cut off at the limit of a line.
    return undefined
  }
}
