import { hash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { ProjectSettings } from '../../model/project.ts'
import type { PageRequests } from '../../model/session.ts'
import type { Files, Projects } from '../../model/store.ts'
import { WorkerError } from '../../model/worker.ts'
import type { DevWorker } from '../dev-worker.ts'
import type { KeptFiles } from './kept-files.ts'
import { askAll } from './record-page.ts'
import type { CurrentPage } from './recording.ts'

export interface LastPageParts {
  projects: Projects
  files: Files
  kept: KeptFiles
  /** What pages asked for. */
  requests: PageRequests
  /** Failures of the server that no caller is there for. */
  onError: (error: unknown, what: string) => void
}

/** A session that is wanted away does not stay longer for what would only make its next start faster. */
const KEEP_TIMEOUT_MS = 5_000

/**
 * The page that a session had when it went to sleep: shown while it wakes, as far as it still holds, and as long as
 * nothing has changed since then. The dev server behind it is made to know the modules of that page; an edit before
 * that has to reload it.
 */
export class LastPage {
  readonly #parts: LastPageParts
  readonly #project: string
  #opened: Promise<CurrentPage | undefined> | undefined
  #isKnown = true

  constructor(parts: LastPageParts, project: string) {
    this.#parts = parts
    this.#project = project
  }

  /** Looks for it; called when the session is wanted. */
  open(): void {
    this.#opened ??= this.#open().catch((error: unknown) => {
      // A project that was deleted meanwhile has none.
      if (this.#parts.projects.get(this.#project))
        this.#parts.onError(error, `The last page of project ${this.#project} could not be read.`)
      return undefined
    })
  }

  /** Undefined where files or settings have changed since it was opened, or nothing of it could be used then. */
  async current(): Promise<CurrentPage | undefined> {
    const page = await this.#opened
    const project = this.#parts.projects.get(this.#project)
    const fits =
      page?.revision === project?.revision &&
      page?.index.settingsKey === (project && settingsKey(project.settings))
    return fits ? page : undefined
  }

  /** The same, and nothing of it where that is out of date: an open page that began with it waits for the dev server. */
  async shown(): Promise<CurrentPage | undefined> {
    const page = await this.#opened
    return page && ((await this.current()) ?? page.outdated())
  }

  /** Open pages may show modules that the dev server has not transformed yet. */
  get isAhead(): boolean {
    return !this.#isKnown
  }

  /**
   * The dev server answers. What was recorded is of no use where it calls its modules by other names; `onLeft` is called
   * where it comes to do so later.
   */
  async follow(worker: DevWorker, onLeft: () => void): Promise<void> {
    const page = await this.#opened
    if (page?.generation !== worker.generation) return await this.close()
    this.#isKnown = false
    void worker.server.rebundled.then(() => this.#leave(worker, onLeft))
    // An edit that came meanwhile is brought in next, and reloads what was shown before it.
    if ((await this.current()) === undefined) return
    void this.#makeKnown(worker, page).finally(() => {
      this.#isKnown = true
    })
  }

  /** Records it, from a dev server that is to end. */
  async keep(worker: DevWorker): Promise<void> {
    const project = this.#parts.projects.get(this.#project)
    if (!project) return
    const requests = this.#parts.requests.of(this.#project)
    const kept = worker
      .leave(this.#parts.kept, this.#project, { settingsKey: settingsKey(project.settings), requests })
      .catch((error: unknown) => {
        // A dev server that hangs or is gone has nothing to keep.
        if (error instanceof WorkerError) return
        this.#parts.onError(error, `The last page of project ${this.#project} could not be kept.`)
      })
    await Promise.race([kept, delay(KEEP_TIMEOUT_MS, undefined, { ref: false })])
  }

  /** It is out of date, and open pages are loaded anew; or it is not needed any more. */
  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    this.#isKnown = true
    await (await opened)?.close()
  }

  async #open(): Promise<CurrentPage | undefined> {
    const recording = await this.#parts.kept.page(this.#project)
    if (!recording) return undefined
    try {
      await using snapshot = await this.#parts.files.snapshot(this.#project)
      const page = recording.at(snapshot)
      if (!page) await recording.close()
      return page
    } catch (error) {
      await recording.close()
      throw error
    }
  }

  /** A page of both would have two copies of a package. */
  async #leave(worker: DevWorker, onLeft: () => void): Promise<void> {
    if (this.#opened === undefined) return
    worker.renew()
    await this.close()
    onLeft()
  }

  /** Beginning with what an open page waits for. */
  async #makeKnown({ server }: DevWorker, page: CurrentPage): Promise<void> {
    const { stale = [], current = [] } = Object.groupBy(page.requests, (request) =>
      page.isStale(request) ? 'stale' : 'current',
    )
    await askAll(server.socket, stale)
    await askAll(server.socket, current)
  }
}

function settingsKey(settings: ProjectSettings): string {
  return hash('sha256', JSON.stringify(settings))
}
