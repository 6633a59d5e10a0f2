import { hash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { ProjectSettings } from '../../model/project.ts'
import type { PageRequests, RecordedPage } from '../../model/session.ts'
import type { Projects } from '../../model/store.ts'
import { WorkerError } from '../../model/worker.ts'
import type { DevWorker } from '../dev-worker.ts'
import type { KeptFiles } from './kept-files.ts'
import { askAll } from './record-page.ts'
import type { Recording } from './recording.ts'

export interface LastPageParts {
  projects: Projects
  kept: KeptFiles
  /** What pages asked for. */
  requests: PageRequests
  /** Failures of the server that no caller is there for. */
  onError: (error: unknown, what: string) => void
}

/** A session that is wanted away does not stay longer for what would only make its next start faster. */
const KEEP_TIMEOUT_MS = 3_000

/**
 * The page that a session had when it went to sleep: shown while it wakes, and as long as nothing has changed. The dev
 * server behind it is made to know the modules of that page; an edit before that has to reload it.
 */
export class LastPage {
  readonly #parts: LastPageParts
  readonly #project: string
  #opened: Promise<Recording | undefined> | undefined
  #isKnown = true

  constructor(parts: LastPageParts, project: string) {
    this.#parts = parts
    this.#project = project
  }

  /** Looks for it; called when the session is wanted. */
  open(): void {
    this.#opened ??= this.#parts.kept.page(this.#project).catch((error: unknown) => {
      this.#parts.onError(error, `The last page of project ${this.#project} could not be read.`)
      return undefined
    })
  }

  /** Undefined unless it is of the files and settings that the project has now. */
  async current(): Promise<(Recording & RecordedPage) | undefined> {
    const recording = await this.#opened
    const project = this.#parts.projects.get(this.#project)
    const fits =
      recording?.revision === project?.revision &&
      recording?.index.settingsKey === (project && settingsKey(project.settings))
    return fits ? recording : undefined
  }

  /** Open pages may show modules that the dev server has not transformed yet. */
  get isAhead(): boolean {
    return !this.#isKnown
  }

  /** The dev server answers. What was recorded is of no use where it calls its modules by other names. */
  async follow(worker: DevWorker): Promise<void> {
    const recording = await this.current()
    if (recording?.generation !== worker.generation) return await this.close()
    this.#isKnown = false
    void askAll(worker.server.socket, recording.requests).finally(() => {
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

  /** It is out of date, or not needed any more. */
  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    await (await opened)?.close()
  }
}

function settingsKey(settings: ProjectSettings): string {
  return hash('sha256', JSON.stringify(settings))
}
