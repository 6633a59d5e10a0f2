import { posix } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { PreviewdError } from '../errors.ts'
import type { AppServerView, BuiltServer, Reached } from '../model/app-server.ts'
import type { Artifacts } from '../model/artifact.ts'
import type { ProjectSettings } from '../model/project.ts'
import type { Builds, Projects } from '../model/store.ts'
import type { DevTask } from '../model/worker.ts'
import { openAppFiles } from './app-files.ts'
import { Attempts } from './attempts.ts'
import { DevServerFailed, DevWorker, type DevWorkerParts } from './dev-worker.ts'
import { prepareRuntime, type RuntimeParts } from './prepare-runtime.ts'

export interface AppServerParts extends DevWorkerParts, RuntimeParts {
  projects: Pick<Projects, 'get'>
  builds: Pick<Builds, 'get'>
  artifacts: Pick<Artifacts, 'open'>
  /** What of the settings' variables reaches project code. */
  variables: (settings: ProjectSettings) => Record<string, string>
  now: () => number
  onError: (error: unknown, what: string) => void
}

const PORT = 3000
/** A program of the sandbox. */
const APP_PROGRAM = '/previewd/worker/entry-app.js'

/** The server of one build, from the first request for it until it is put to sleep. */
export class AppServer {
  readonly project: string
  readonly buildId: string
  readonly #parts: AppServerParts
  readonly #onReleased: () => void
  readonly #attempts: Attempts
  #life = new AbortController()
  #state: 'asleep' | 'waiting' | 'starting' | 'live' | 'failed' = 'asleep'
  #worker: DevWorker | undefined
  #starting: Promise<void> = Promise.resolve()
  /** Settled when it is neither waiting nor starting. */
  #settled = Promise.withResolvers<void>()
  #reason = ''
  #retryAt = 0
  #usedAt: number

  /** `onReleased`: it needs no place any more. */
  constructor(parts: AppServerParts, project: string, buildId: string, onReleased: () => void) {
    this.project = project
    this.buildId = buildId
    this.#parts = parts
    this.#onReleased = onReleased
    this.#attempts = new Attempts(parts.now)
    this.#usedAt = parts.now()
  }

  get state() {
    return this.#state
  }

  get usedAt(): number {
    return this.#usedAt
  }

  /** After failures it is left alone for a while, longer each time, and then for minutes. */
  get mayStart(): boolean {
    if (this.#state === 'asleep') return true
    return this.#state === 'failed' && this.#attempts.mayRetry && this.#parts.now() >= this.#retryAt
  }

  view(): AppServerView {
    if (this.#state === 'failed') return { state: 'failed', reason: this.#reason }
    return { state: this.#state === 'waiting' ? 'starting' : this.#state }
  }

  use(): void {
    this.#usedAt = this.#parts.now()
  }

  /** Where it stands after at most so long. */
  async reach(waitMs: number): Promise<Reached> {
    if (this.#state === 'waiting' || this.#state === 'starting') {
      const over = new AbortController()
      const late = delay(waitMs, undefined, { signal: over.signal }).catch(() => undefined)
      await Promise.race([this.#settled.promise, late])
      over.abort()
    }
    if (this.#worker) return { socket: this.#worker.server.socket }
    return this.#state === 'failed'
      ? { unavailable: 'failed', reason: this.#reason }
      : { unavailable: 'starting' }
  }

  wait(): void {
    this.#life = new AbortController()
    this.#settled = Promise.withResolvers()
    this.#state = 'waiting'
  }

  /** Starts; there is a place for it. */
  begin(): void {
    this.#state = 'starting'
    this.#starting = this.#start(this.#life.signal)
  }

  giveUpWaiting(): void {
    this.#state = 'asleep'
    this.#settled.resolve()
  }

  /** Resolves when its worker is gone; the next request wakes it again. */
  async stop(): Promise<void> {
    this.#life.abort()
    await this.#starting
    const worker = this.#worker
    this.#worker = undefined
    this.#state = 'asleep'
    this.#settled.resolve()
    await worker?.stop()
  }

  async #start(signal: AbortSignal): Promise<void> {
    const startedMs = performance.now()
    try {
      const worker = await this.#launch(signal)
      this.#worker = worker
      this.#state = 'live'
      this.use()
      this.#say(`The server of build ${this.buildId} answers after ${since(startedMs)} ms.`)
      void worker.ended.then((reason) => this.#crashed(worker, reason))
    } catch (error) {
      if (!signal.aborted) this.#failed(error)
    }
    this.#settled.resolve()
  }

  async #launch(signal: AbortSignal): Promise<DevWorker> {
    const { projects, builds, artifacts, variables } = this.#parts
    const settings = projects.get(this.project)?.settings
    const build = builds.get(this.project, this.buildId)
    if (!settings || !build) throw new PreviewdError('BUILD_NOT_FOUND', 'The project has no such build.')
    const files = await openAppFiles(artifacts, this.project, build)
    const { nodeMajor } = build
    const node = nodeMajor === undefined ? undefined : { major: nodeMajor, isRequired: true }
    const { sources, built } = files
    const wanted = { root: built.needsPackages ? built.root : undefined, node }
    const spec = {
      task: toTask(built, variables(settings)),
      egress: settings.egress,
      entries: built.links,
      ...(await prepareRuntime(this.#parts, sources, wanted, signal)),
    }
    return await DevWorker.start(this.#parts, spec, files.all, signal)
  }

  #crashed(worker: DevWorker, reason: string): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    // What is left of it goes, whatever becomes of the next one.
    void worker.stop().catch((error: unknown) => this.#parts.onError(error, 'A built server was not ended.'))
    this.#failed(new DevServerFailed(reason))
  }

  #failed(error: unknown): void {
    const known = error instanceof PreviewdError || error instanceof DevServerFailed
    if (!known) this.#parts.onError(error, `The built server of project ${this.project} failed.`)
    this.#reason = known ? error.message : 'The server failed; it is tried again.'
    this.#attempts.failed()
    this.#retryAt = this.#parts.now() + this.#attempts.pauseMs
    this.#state = 'failed'
    this.#say(`The server of build ${this.buildId} is gone. ${this.#reason}`)
    this.#onReleased()
  }

  #say(text: string): void {
    this.#parts.onLog(this.project, { stream: 'stderr', text })
  }
}

function toTask({ root, entry, run }: BuiltServer, variables: Record<string, string>): DevTask {
  const place = { HOST: '127.0.0.1', PORT: String(PORT) }
  // SvelteKit's program believes neither the protocol nor the name of a request unless it is told to.
  const trusted = { PROTOCOL_HEADER: 'x-forwarded-proto', HOST_HEADER: 'x-forwarded-host' }
  return {
    kind: 'command-dev',
    command: `exec node ${APP_PROGRAM} ${run} ${entry}`,
    cwd: posix.join('/app', root),
    port: PORT,
    env: { NODE_ENV: 'production', ...trusted, ...variables, ...place },
  }
}

function since(startedMs: number): number {
  return Math.round(performance.now() - startedMs)
}
