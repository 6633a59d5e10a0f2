import { PreviewdError } from '../errors.ts'
import type { AppliedChanges, ChangeBatch } from '../model/files.ts'
import type { SyncRequest } from '../model/pipeline.ts'
import type { Project } from '../model/project.ts'
import type { SourceNotes } from '../model/source.ts'
import { pull } from '../sync/pull.ts'
import type { PipelineParts } from './parts.ts'
import { SyncQueue } from './sync-queue.ts'

/** A client that pushes into a project while it is being fetched makes what was compared out of date. */
const ATTEMPTS = 3

export type SyncParts = Pick<
  PipelineParts,
  'projects' | 'files' | 'sources' | 'sourceNotes' | 'tmpDir' | 'config' | 'onError'
>

/** Applies a batch as a push does; `startedMs` is when the fetching of it began. */
type Apply = (project: string, batch: ChangeBatch, startedMs: number) => Promise<AppliedChanges>

/** Makes projects level with their sources: one batch, and so one revision, a sync. */
export class Syncs {
  readonly #parts: SyncParts
  readonly #apply: Apply
  readonly #queue = new SyncQueue<AppliedChanges>((...turn) => this.#run(...turn))

  constructor(parts: SyncParts, apply: Apply) {
    this.#parts = parts
    this.#apply = apply
  }

  async sync(id: string, request: SyncRequest): Promise<AppliedChanges> {
    return this.#queue.add(id, request)
  }

  /** Ends the syncs of a project that is being deleted. */
  async clear(id: string): Promise<void> {
    await this.#queue.clear(id)
  }

  async close(): Promise<void> {
    await this.#queue.close()
  }

  async #run(id: string, request: SyncRequest, signal: AbortSignal): Promise<AppliedChanges> {
    const startedMs = performance.now()
    for (let tried = 1; ; tried++) {
      try {
        return await this.#once(this.#require(id), request, signal, startedMs)
      } catch (error) {
        const isOutOfDate = error instanceof PreviewdError && error.code === 'REVISION_CONFLICT'
        if (!isOutOfDate || tried === ATTEMPTS) throw error
      }
    }
  }

  async #once(
    project: Project,
    request: SyncRequest,
    signal: AbortSignal,
    startedMs: number,
  ): Promise<AppliedChanges> {
    const { sources, files, tmpDir, config } = this.#parts
    const { id } = project
    const place = placeOf(project)
    await using source = await sources.open(project)
    const { revision, files: manifest } = await files.manifest(id)
    const known = this.#notes(id, place)
    await using pulled = await pull({
      source,
      manifest,
      notes: known ?? { place, files: new Map() },
      // What was never fetched whole would stay in parts.
      paths: known && request.paths,
      limits: config.limits,
      tmpDir,
      signal,
    })
    signal.throwIfAborted()
    if (placeOf(this.#require(id)) !== place) {
      throw new PreviewdError('REVISION_CONFLICT', 'The source of the project was changed meanwhile.')
    }
    const applied = await this.#apply(id, { ...pulled.batch, baseRevision: revision }, startedMs)
    this.#note(id, pulled.notes)
    return { ...applied, unchanged: applied.unchanged + pulled.same }
  }

  #require(id: string): Project {
    const project = this.#parts.projects.get(id)
    if (!project) throw new PreviewdError('PROJECT_NOT_FOUND', `There is no project ${id}.`)
    return project
  }

  #notes(id: string, place: string): SourceNotes | undefined {
    try {
      const notes = this.#parts.sourceNotes.get(id)
      return notes?.place === place ? notes : undefined
    } catch (error) {
      // Without them more is downloaded, and that is all.
      this.#parts.onError(error, 'What is known of a source could not be read.')
      return undefined
    }
  }

  #note(id: string, notes: SourceNotes): void {
    try {
      this.#parts.sourceNotes.set(id, notes)
    } catch (error) {
      this.#parts.onError(error, 'What is known of a source could not be written.')
    }
  }
}

/** Settings that lead elsewhere make another name. */
function placeOf({ settings: { source } }: Project): string {
  const { kind, ...rest } = source
  const place = Object.entries(rest).filter(([name]) => name !== 'writeThrough')
  return JSON.stringify([kind, ...place.toSorted(([a], [b]) => (a < b ? -1 : 1))])
}
