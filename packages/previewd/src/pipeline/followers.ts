import { PreviewdError } from '../errors.ts'
import type { SyncRequest } from '../model/pipeline.ts'
import type { Project } from '../model/project.ts'
import type { PipelineParts } from './parts.ts'
import { RetryTimers } from './retry-timers.ts'

/** Folders that are watched beside one another; the one whose project was synced longest ago is let go. */
const MAX_FOLLOWED = 64

interface Followed {
  place: string
  /** It could not be opened; the next sync tries again. */
  hasFailed: boolean
  /** Ends the watch; resolves once it has. */
  stop: () => Promise<void>
}

export type FollowerParts = Pick<PipelineParts, 'sources' | 'events' | 'onError' | 'retryPauses'>

/**
 * Keeps projects level with sources that tell of their changes: each is followed from its first sync on. One that cannot
 * be opened is synced again after a pause, since what was changed meanwhile was not told.
 */
export class Followers {
  readonly #parts: FollowerParts
  readonly #sync: (project: string, request: SyncRequest) => Promise<unknown>
  readonly #followed = new Map<string, Followed>()
  /** What was last said of a project whose source fails, so that it is said once. */
  readonly #said = new Map<string, string>()
  readonly #retries: RetryTimers

  constructor(parts: FollowerParts, sync: (project: string, request: SyncRequest) => Promise<unknown>) {
    this.#parts = parts
    this.#sync = sync
    this.#retries = new RetryTimers((id) => void this.#tryAgain(id), parts.retryPauses)
  }

  /** To be called after each sync. */
  follow(project: Project): void {
    const { id, settings } = project
    const { source } = settings
    const place = JSON.stringify(source)
    const known = this.#followed.get(id)
    if (known?.place !== place) void this.stop(id)
    // Only folders tell.
    if (source.kind !== 'local') return
    this.#followed.delete(id)
    const isFollowed = known?.place === place && !known.hasFailed
    this.#followed.set(id, isFollowed ? known : this.#start(project, place))
    const [oldest] = this.#followed.keys()
    if (oldest !== undefined && this.#followed.size > MAX_FOLLOWED) void this.stop(oldest)
  }

  /** Never rejects. */
  async stop(id: string): Promise<void> {
    const followed = this.#followed.get(id)
    this.#followed.delete(id)
    this.#said.delete(id)
    this.#retries.clear(id)
    await followed?.stop()
  }

  async close(): Promise<void> {
    this.#retries.close()
    await Promise.all([...this.#followed.keys()].map((id) => this.stop(id)))
  }

  /** Tells who listens to the project why its source could not be read; nothing else of it is lost. */
  tell(id: string, error: unknown): void {
    const isOurs = error instanceof PreviewdError
    if (isOurs && (error.code === 'SHUTTING_DOWN' || error.code === 'PROJECT_NOT_FOUND')) return
    if (!isOurs) this.#parts.onError(error, `The source of project ${id} could not be read.`)
    const text = isOurs ? `${error.message} [${error.code}]` : 'The source could not be read.'
    if (this.#said.get(id) === text) return
    this.#said.set(id, text)
    const line = { at: new Date().toISOString(), stream: 'stderr' as const, text }
    this.#parts.events.publish('log', id, { lines: [line] })
  }

  #start(project: Project, place: string): Followed {
    const { id } = project
    const ended = new AsyncDisposableStack()
    const started = this.#watch(project, ended).then(
      () => this.#retries.clear(id),
      (error: unknown) => this.#failed(id, followed, error),
    )
    const stop = async () => {
      await started
      await ended
        .disposeAsync()
        .catch((error: unknown) => this.#parts.onError(error, `Project ${id} could not be let go.`))
    }
    const followed = { place, hasFailed: false, stop }
    return followed
  }

  #failed(id: string, followed: Followed, error: unknown): void {
    followed.hasFailed = true
    if (this.#followed.get(id) !== followed) return
    this.tell(id, error)
    this.#retries.failed(id)
  }

  async #tryAgain(id: string): Promise<void> {
    const followed = this.#followed.get(id)
    try {
      await this.#sync(id, {})
    } catch (error) {
      if (followed) this.#failed(id, followed, error)
    }
  }

  async #watch(project: Project, ended: AsyncDisposableStack): Promise<void> {
    const source = ended.use(await this.#parts.sources.open(project))
    const watch = source.watch?.((paths) => void this.#bringIn(project.id, paths))
    if (watch) ended.use(watch)
  }

  async #bringIn(id: string, paths: readonly string[] | undefined): Promise<void> {
    if (!this.#followed.has(id)) return
    try {
      await this.#sync(id, paths ? { paths } : {})
      this.#said.delete(id)
    } catch (error) {
      this.tell(id, error)
    }
  }
}
