import type { AppServerView } from '../model/app-server.ts'
import type { Build } from '../model/build.ts'
import type { ReportedDiagnostic } from '../model/diagnostic.ts'
import type { InstallProgress } from '../model/environment.ts'
import type { Project } from '../model/project.ts'
import type { ProjectStatus } from '../model/status.ts'
import type { PipelineParts } from './parts.ts'
import { deriveStatus, newestFinished, reported, withoutDetails } from './status.ts'
import type { Watchers } from './watchers.ts'

const PROGRESS_EVERY_MS = 250
/** Canceled builds may stand before the newest that counts. */
const BUILDS_LOOKED_AT = 20

type Parts = Pick<
  PipelineParts,
  'projects' | 'builds' | 'events' | 'urls' | 'logs' | 'sessions' | 'appServers' | 'viewers'
>

/** What of a project is known nowhere else. */
export interface Current {
  activeBuild(project: string): Build | undefined
  transforms(project: string): ReportedDiagnostic[]
}

/** Writes down what becomes of builds, and tells those who wait and those who listen. */
export class Announcer {
  readonly #parts: Parts
  readonly #watchers: Watchers
  readonly #current: Current
  readonly #progress = new Map<string, { progress: InstallProgress; toldMs: number }>()

  constructor(parts: Parts, watchers: Watchers, current: Current) {
    this.#parts = parts
    this.#watchers = watchers
    this.#current = current
  }

  status(id: string): ProjectStatus | undefined {
    const { projects, urls, sessions, viewers } = this.#parts
    const project = projects.get(id)
    if (!project) return undefined
    return deriveStatus({
      project,
      active: this.#current.activeBuild(id),
      finished: this.newestFinished(id),
      urls: urls(id),
      progress: this.#progress.get(id)?.progress,
      session: sessions.view(id),
      server: this.#server(project),
      painted: viewers?.painted(id),
      transforms: this.#current.transforms(id),
    })
  }

  #server({ id, published }: Project): AppServerView | undefined {
    const { builds, appServers } = this.#parts
    const hasServer = published && builds.get(id, published.buildId)?.server !== undefined
    return hasServer ? appServers?.view(id, published.buildId) : undefined
  }

  newestFinished(project: string): Build | undefined {
    const { builds } = this.#parts
    // Records carry their diagnostics, so that many of them are not read where the first two will do.
    return (
      newestFinished(builds.list(project, { limit: 2 }).items) ??
      newestFinished(builds.list(project, { limit: BUILDS_LOOKED_AT }).items)
    )
  }

  queued(build: Build): void {
    this.#parts.events.publish('build', build.project, withoutDetails(build))
  }

  /** Stores the build as it is now. `before` runs in between, so that who is told sees its effect. */
  changed(build: Build, before?: () => void): void {
    this.#parts.builds.update(build)
    before?.()
    if (build.state !== 'installing') this.#progress.delete(build.project)
    this.#parts.events.publish('build', build.project, withoutDetails(build))
    this.statusChanged(build.project)
  }

  diagnosed(build: Build): void {
    const data = { buildId: build.id, revision: build.revision, diagnostics: reported(build) }
    this.#parts.events.publish('diagnostic', build.project, data)
  }

  progressed(project: string, progress: InstallProgress): void {
    const toldMs = this.#progress.get(project)?.toldMs ?? 0
    const tell = Date.now() - toldMs >= PROGRESS_EVERY_MS
    this.#progress.set(project, { progress, toldMs: tell ? Date.now() : toldMs })
    if (tell) this.statusChanged(project)
  }

  statusChanged(project: string): void {
    const status = this.status(project)
    if (status) this.#parts.events.publish('status', project, status)
    this.#watchers.notify(project)
  }
}
