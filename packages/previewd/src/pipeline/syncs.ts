import { setTimeout as delay } from 'node:timers/promises'
import { PreviewdError } from '../errors.ts'
import type { AppliedChanges, ChangeBatch, Manifest, StoredState } from '../model/files.ts'
import type { SyncRequest } from '../model/pipeline.ts'
import type { Project } from '../model/project.ts'
import type { Source, SourceNotes } from '../model/source.ts'
import { comingNotes, pull, wantedPaths } from '../sync/pull.ts'
import { isUnstored, meetSource, storeChanges } from '../sync/store-changes.ts'
import type { PipelineParts } from './parts.ts'
import { RetryTimers } from './retry-timers.ts'
import { SyncQueue } from './sync-queue.ts'

/** A client that pushes into a project while it is being fetched makes what was compared out of date. */
const ATTEMPTS = 3
/** Paths that one sync looks at one by one; over it, it compares everything. */
const MAX_PATHS = 20_000
/** How long a push waits for its files to be stored, too, before it is answered that they are being stored. */
const STORE_ANSWER_MS = 10_000

export type SyncParts = Pick<
  PipelineParts,
  'projects' | 'files' | 'sources' | 'sourceNotes' | 'tmpDir' | 'config' | 'onError' | 'retryPauses'
>

/** Applies a batch as a push does; `startedMs` is when the fetching of it began. */
type Apply = (project: string, batch: ChangeBatch, startedMs: number) => Promise<AppliedChanges>

/** Stores what has to be stored, and then fetches, where that is asked for. */
interface Turn {
  fetch?: SyncRequest
}

interface Outcome {
  /** Why the project's files could not be stored, where they are to be. */
  unstored?: unknown
  fetched?: AppliedChanges
  failure?: unknown
}

/**
 * Makes projects level with their sources: one batch, and so one revision, a sync. Projects that are written through
 * are stored first, in the same order, so that a sync never takes back what was pushed.
 */
export class Syncs {
  readonly #parts: SyncParts
  readonly #apply: Apply
  readonly #queue = new SyncQueue<Turn, Outcome>({
    run: (...turn) => this.#run(...turn),
    join,
    laneOf: (id) => this.#parts.projects.get(id)?.settings.source.kind ?? 'push',
  })
  readonly #retries: RetryTimers

  constructor(parts: SyncParts, apply: Apply) {
    this.#parts = parts
    this.#apply = apply
    this.#retries = new RetryTimers((id) => void this.#store(id), parts.retryPauses)
  }

  async sync(id: string, { paths }: SyncRequest): Promise<AppliedChanges> {
    // Before it is joined with those of others, who are not to be refused for it.
    const request = paths ? { paths: wantedPaths(paths) } : {}
    const { fetched, failure } = await this.#queue.add(id, { fetch: request })
    if (!fetched) throw failure
    return fetched
  }

  /** Applies what a client pushes, and stores it in the source where the project is written through. */
  async push(id: string, apply: () => Promise<AppliedChanges>): Promise<AppliedChanges> {
    if (!isWrittenThrough(this.#parts.projects.get(id))) return apply()
    const { sourceNotes } = this.#parts
    const revision = () => this.#parts.projects.get(id)?.revision
    const before = revision()
    // Before: that it is to be stored has to outlive a server that is killed after it was acknowledged.
    const isNew = sourceNotes.setUnstored(id, true)
    try {
      const applied = await apply()
      if (applied.changed.length === 0) return applied
      // A store or a push beside it may have ended in between, for which there was nothing left.
      sourceNotes.setUnstored(id, true)
      return { ...applied, stored: await this.#store(id) }
    } finally {
      if (isNew && revision() === before) sourceNotes.setUnstored(id, false)
    }
  }

  /** Stores in the source what it does not have; never rejects, and tries again later where it could not. */
  async #store(id: string): Promise<StoredState> {
    const failed = (error: unknown): StoredState => {
      const { code, message } =
        error instanceof PreviewdError ? error : new PreviewdError('INTERNAL', 'The server failed.')
      return { state: 'failed', code, detail: message }
    }
    const storing = this.#queue.add(id, {}).then<StoredState, StoredState>(({ unstored }) => {
      return unstored === undefined ? { state: 'stored' } : failed(unstored)
    }, failed)
    const controller = new AbortController()
    const tooLong = delay(STORE_ANSWER_MS, { state: 'pending' } as const, {
      signal: controller.signal,
      ref: false,
    })
    // It is ended below, when nobody waits for it.
    tooLong.catch(() => undefined)
    try {
      return await Promise.race([storing, tooLong])
    } finally {
      controller.abort()
    }
  }

  /** Stores what a server that was killed had left. */
  resume(): void {
    for (const id of this.#parts.sourceNotes.unstored()) void this.#store(id)
  }

  /** Ends the syncs of a project that is being deleted. */
  async clear(id: string): Promise<void> {
    this.#retries.clear(id)
    await this.#queue.clear(id)
  }

  async close(): Promise<void> {
    this.#retries.close()
    await this.#queue.close()
  }

  async #run(id: string, { fetch }: Turn, signal: AbortSignal): Promise<Outcome> {
    const startedMs = performance.now()
    const unstored = await this.#storeFirst(this.#require(id), signal)
    if (unstored !== undefined) return { unstored, failure: unstored }
    if (!fetch) return {}
    for (let tried = 1; ; tried++) {
      try {
        return { fetched: await this.#fetch(this.#require(id), fetch, signal, startedMs) }
      } catch (failure) {
        const isOutOfDate = failure instanceof PreviewdError && failure.code === 'REVISION_CONFLICT'
        if (!isOutOfDate || tried === ATTEMPTS) return { failure }
      }
    }
  }

  /** Why not all is stored, where that is so. */
  async #storeFirst(project: Project, signal: AbortSignal): Promise<unknown> {
    if (!isWrittenThrough(project)) return undefined
    try {
      await using source = await this.#parts.sources.open(project)
      if (!isWritable(source)) return undefined
      const revision = await this.#storeTo(source, project, signal)
      // Not of what was pushed meanwhile: its turn is next, unless the server is killed before.
      if (this.#parts.projects.get(project.id)?.revision === revision) {
        this.#parts.sourceNotes.setUnstored(project.id, false)
      }
      this.#retries.clear(project.id)
      return undefined
    } catch (error) {
      if (signal.aborted) return error
      this.#retries.failed(project.id)
      this.#parts.onError(
        error,
        `The files of ${project.id} could not be stored in its source; they will be.`,
      )
      return error
    }
  }

  /** Resolves with the revision that is stored. */
  async #storeTo(source: WritableSource, project: Project, signal: AbortSignal): Promise<number> {
    const { id } = project
    const place = placeOf(project)
    await using snapshot = await this.#parts.files.snapshot(id)
    const known = this.#notes(id, place, snapshot.files)
    // There is nothing to store; what the source has is fetched when that is asked for.
    if (!known && snapshot.files.size === 0) return snapshot.revision
    const notes = known ?? (await meetSource(source, place, snapshot.files, signal))
    const stored = await storeChanges({ source, snapshot, notes, signal })
    this.#note(id, stored.notes)
    if (stored.failure !== undefined) throw stored.failure
    return snapshot.revision
  }

  async #fetch(
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
    const known = this.#notes(id, place, manifest)
    const notes = known ?? { place, files: new Map() }
    await using pulled = await pull({
      source,
      manifest,
      notes,
      // What was never fetched whole would stay in parts.
      paths: known && request.paths,
      isOurs: isWrittenThrough(project) ? (path) => isUnstored(path, manifest, notes) : undefined,
      limits: config.limits,
      tmpDir,
      signal,
    })
    signal.throwIfAborted()
    if (placeOf(this.#require(id)) !== place) {
      throw new PreviewdError('REVISION_CONFLICT', 'The source of the project was changed meanwhile.')
    }
    const { files: changed, deleted } = pulled.batch
    if (changed.length + deleted.length > 0) {
      this.#parts.sourceNotes.foresee(id, comingNotes(pulled, known))
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

  #notes(id: string, place: string, manifest: Manifest): SourceNotes | undefined {
    try {
      this.#parts.sourceNotes.settle(id, manifest)
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

type WritableSource = Source & Required<Pick<Source, 'write' | 'remove'>>

function isWritable(source: Source): source is WritableSource {
  return source.write !== undefined && source.remove !== undefined
}

/** Whether what is pushed to a project is stored in its source, too. */
function isWrittenThrough(project: Project | undefined): boolean {
  const source = project?.settings.source
  return source !== undefined && 'writeThrough' in source && source.writeThrough === true
}

function join({ fetch: a }: Turn, { fetch: b }: Turn): Turn {
  if (!a || !b) return { ...(a && { fetch: a }), ...(b && { fetch: b }) }
  if (!a.paths || !b.paths) return { fetch: {} }
  const paths = [...new Set([...a.paths, ...b.paths])]
  return { fetch: paths.length > MAX_PATHS ? {} : { paths } }
}

/** Settings that lead elsewhere make another name. */
function placeOf({ settings: { source } }: Project): string {
  const { kind, ...rest } = source
  const place = Object.entries(rest).filter(([name]) => name !== 'writeThrough')
  return JSON.stringify([kind, ...place.toSorted(([a], [b]) => (a < b ? -1 : 1))])
}
