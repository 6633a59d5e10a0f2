import type { AppServers, AppServerView, Reached } from '../model/app-server.ts'
import { AppServer, type AppServerParts } from './app-server.ts'

export interface AppServersOptions extends Omit<AppServerParts, 'now'> {
  /** With a worker, at the same time. */
  max: number
  /** A server that nobody asks for so long sleeps. */
  idleMs: number
  /** Milliseconds; the clock by default. */
  now?: () => number
}

const SWEEP_MS = 1000
/** Servers that may wait for a place. Anybody may wake one. */
const MAX_WAITING = 50
const MAX_WAIT_MS = 30_000
/** A server is not put to sleep for another one before it was left alone for this long. */
const KEPT_MS = 5000
/** Who comes first after a publish waits so long for its server before the one of the build before answers. */
const TAKE_OVER_MS = 2000
/** Requests under way when the next build's server took over are answered in this time. */
const DRAIN_MS = 5000
/** Servers that sleep, or failed, and are remembered as such. */
const MAX_KNOWN = 1000

export function createAppServers(options: AppServersOptions): AwakeServers {
  return new AwakeServers(options)
}

/** See {@link AppServers}. Those used longest ago sleep first where there are too many. */
export class AwakeServers implements AppServers {
  readonly #options: AppServersOptions
  readonly #parts: AppServerParts
  /** The one used longest ago first. */
  readonly #servers = new Map<string, AppServer>()
  readonly #waiting = new Map<AppServer, { since: number }>()
  /** With a worker, or one that is still ending. */
  readonly #placed = new Set<AppServer>()
  /** Ending soon: another build of their project has taken over. */
  readonly #retiring = new Set<AppServer>()
  readonly #timer: NodeJS.Timeout
  #closed = false

  constructor(options: AppServersOptions) {
    this.#options = options
    this.#parts = { ...options, now: options.now ?? Date.now }
    this.#timer = setInterval(() => void this.sweep(), SWEEP_MS).unref()
  }

  async reach(
    project: string,
    buildId: string,
    { waitMs, only = false }: { waitMs: number; only?: boolean },
  ) {
    const server = this.#use(project, buildId)
    if (server.mayStart && !this.#enqueue(server)) return { unavailable: 'full' } as const
    if (server.state !== 'live' && !only) {
      const before = this.#liveOf(project)
      before?.use()
      if (before) return await this.#takeOver(before, server, Math.min(waitMs, TAKE_OVER_MS))
    }
    const reached: Reached = await server.reach(waitMs)
    if (!only && 'socket' in reached) this.#retire(project, server)
    return reached
  }

  view(project: string, buildId: string): AppServerView {
    return this.#servers.get(keyOf({ project, buildId }))?.view() ?? { state: 'asleep' }
  }

  async stop(project: string): Promise<void> {
    const of = [...this.#servers.values()].filter((server) => server.project === project)
    await Promise.all(of.map((server) => this.#end(server)))
    for (const server of of) this.#servers.delete(keyOf(server))
  }

  /** Ends what nobody asks for, and gives places to those who wait. Called every second. */
  async sweep(): Promise<void> {
    const now = this.#parts.now()
    for (const [server, { since }] of this.#waiting) {
      if (now - since < MAX_WAIT_MS) continue
      this.#waiting.delete(server)
      server.giveUpWaiting()
    }
    for (const server of [...this.#placed]) {
      if (server.state === 'live' && now - server.usedAt >= this.#options.idleMs) await this.#end(server)
    }
    this.#fill()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    await Promise.all([...this.#servers.values()].map((server) => this.#end(server)))
  }

  #use(project: string, buildId: string): AppServer {
    const key = keyOf({ project, buildId })
    const known = this.#servers.get(key)
    const server: AppServer =
      known ?? new AppServer(this.#parts, project, buildId, () => this.#release(server))
    this.#servers.delete(key)
    this.#servers.set(key, server)
    server.use()
    for (const [oldest, { state }] of this.#servers) {
      if (this.#servers.size <= MAX_KNOWN) break
      if (state === 'asleep' || state === 'failed') this.#servers.delete(oldest)
    }
    return server
  }

  #liveOf(project: string): AppServer | undefined {
    return [...this.#placed].find((server) => server.project === project && server.state === 'live')
  }

  async #takeOver(before: AppServer, next: AppServer, waitMs: number): Promise<Reached> {
    const reached = await next.reach(waitMs)
    if (!('socket' in reached)) return await before.reach(0)
    this.#retire(next.project, next)
    return reached
  }

  #enqueue(server: AppServer): boolean {
    if (this.#closed || this.#waiting.size >= MAX_WAITING) return false
    server.wait()
    this.#waiting.set(server, { since: this.#parts.now() })
    this.#fill()
    return true
  }

  #fill(): void {
    for (const server of this.#waiting.keys()) {
      if (this.#closed || this.#placed.size >= this.#options.max) break
      this.#waiting.delete(server)
      this.#placed.add(server)
      server.begin()
    }
    if (this.#waiting.size > 0) this.#makePlace()
  }

  #makePlace(): void {
    const latest = this.#parts.now() - KEPT_MS
    const [oldest] = [...this.#placed]
      .filter(({ state, usedAt }) => state === 'live' && usedAt <= latest)
      .sort((a, b) => a.usedAt - b.usedAt)
    if (oldest) void this.#end(oldest)
  }

  /** The servers of a project's other builds end, once what they answer now is answered. */
  #retire(project: string, current: AppServer): void {
    for (const server of this.#placed) {
      if (server.project !== project || server === current || this.#retiring.has(server)) continue
      if (server.state !== 'live') continue
      this.#retiring.add(server)
      setTimeout(() => {
        this.#retiring.delete(server)
        if (this.#parts.now() - server.usedAt >= DRAIN_MS) void this.#end(server)
      }, DRAIN_MS).unref()
    }
  }

  async #end(server: AppServer): Promise<void> {
    this.#waiting.delete(server)
    try {
      await server.stop()
    } catch (error) {
      this.#options.onError(error, `The built server of project ${server.project} could not be ended.`)
    }
    this.#release(server)
  }

  #release(server: AppServer): void {
    this.#placed.delete(server)
    this.#fill()
  }
}

function keyOf({ project, buildId }: { project: string; buildId: string }): string {
  return `${project}/${buildId}`
}
