import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { PreviewdError } from '../errors.ts'
import type { Snapshot } from '../model/files.ts'
import { materialize, removeMaterialized } from './materialize.ts'
import type { ProjectPaths } from './project-paths.ts'
import type { ProjectTable } from './project-table.ts'

export interface MirrorOptions {
  /** Projects whose files are laid out; beyond that, those longest without activity lose theirs. */
  projects: number
  /** Time after a change before its files are laid out, so that a build has the machine first. */
  delayMs: number
}

export interface MirrorParts {
  paths: ProjectPaths
  table: ProjectTable
  snapshot: (project: string) => Promise<Snapshot>
  options: MirrorOptions
  onError: (error: unknown, what: string) => void
}

/**
 * Lays the newest files of active projects out as a folder that shell tools know. It is a view: behind the answers,
 * one project at a time, never read by the server, and made anew where it is in doubt.
 */
export class Mirror {
  readonly #parts: MirrorParts
  readonly #pending = new Set<string>()
  readonly #closing = new AbortController()
  #current: { project: string; stopped: boolean; done: Promise<void> } | undefined
  #running: Promise<void> | undefined

  constructor(parts: MirrorParts) {
    this.#parts = parts
  }

  /** Lays the project's newest revision out some time soon; asking again before that changes nothing. Never throws. */
  update(project: string): void {
    try {
      // Noted at once, so that a server that is stopped first catches up after its next start.
      this.#parts.table.wantMirrored(project)
    } catch (error) {
      this.#parts.onError(error, `The files of project ${project} could not be laid out.`)
    }
    if (this.#closing.signal.aborted) return
    this.#pending.add(project)
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  /** After a crash: nothing that was laid out for these projects is trusted. */
  async distrust(projects: readonly string[]): Promise<void> {
    for (const project of projects) {
      await rm(this.#parts.paths.mirror(project).list, { force: true })
      if (this.#parts.table.get(project)) this.update(project)
    }
  }

  /** Resolves when nothing is written for the project any more: its folder is about to go. */
  async forget(project: string): Promise<void> {
    this.#pending.delete(project)
    if (this.#current?.project !== project) return
    this.#current.stopped = true
    await this.#current.done
  }

  /** Resolves when everything that was asked for is laid out. */
  async idle(): Promise<void> {
    await this.#running
  }

  /** Stops early; what is left is caught up with after the next start. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#pending.clear()
    if (this.#current) this.#current.stopped = true
    await this.#running
  }

  /** Those that a server did not get to before it was stopped. */
  catchUp(): void {
    for (const project of this.#parts.table.mirroredBehind(this.#parts.options.projects)) this.update(project)
  }

  async #run(): Promise<void> {
    await delay(this.#parts.options.delayMs, undefined, { signal: this.#closing.signal, ref: false }).catch(
      () => undefined,
    )
    for (const project of this.#pending) {
      this.#pending.delete(project)
      const current = { project, stopped: false, done: Promise.resolve() }
      current.done = this.#layOut(project, () => current.stopped)
      this.#current = current
      await current.done
      this.#current = undefined
    }
  }

  async #layOut(project: string, stopped: () => boolean): Promise<void> {
    const { paths, table, snapshot, onError } = this.#parts
    try {
      await using files = await snapshot(project)
      if (files.revision === 0) return
      if (await materialize(files, paths.mirror(project), stopped)) table.setMirrored(project, files.revision)
      await this.#evict()
    } catch (error) {
      if (error instanceof PreviewdError && error.code === 'PROJECT_NOT_FOUND') return
      onError(error, `The files of project ${project} could not be laid out.`)
    }
  }

  async #evict(): Promise<void> {
    const { paths, table, options } = this.#parts
    for (const project of table.mirroredBeyond(options.projects)) {
      await removeMaterialized(paths.mirror(project))
      table.setMirrored(project, -1)
    }
  }
}
