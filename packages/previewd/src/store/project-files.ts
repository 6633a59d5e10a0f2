import { mkdir, rename, rm, rmdir } from 'node:fs/promises'
import PQueue from 'p-queue'
import { PreviewdError } from '../errors.ts'
import { syncDirectory } from '../lib/file-io.ts'
import type { KeyedQueue } from '../lib/keyed-queue.ts'
import { type Addition, PackFile } from '../lib/pack/pack-file.ts'
import type { AppliedChanges, ChangeBatch, ComingRevision, Manifest, Snapshot } from '../model/files.ts'
import { checkProjectId } from '../model/project-id.ts'
import { withStorageErrors } from '../model/storage-error.ts'
import type { Files } from '../model/store.ts'
import { openPack } from './open-pack.ts'
import type { OpenPacks } from './open-packs.ts'
import { PackSnapshot } from './pack-snapshot.ts'
import { type ChangePlan, type FileLimits, planChanges, toAdditions } from './plan-changes.ts'
import type { ProjectPaths } from './project-paths.ts'
import type { ProjectTable } from './project-table.ts'
import type { RunJournal } from './run-journal.ts'

/** Commits that may wait for the disk at once: each takes a thread of the pool that reads need as well. */
const SMALL_COMMITS_AT_ONCE = 2
const LARGE_COMMITS_AT_ONCE = 1
/** Commits with more content than this wait for one another, so that edits do not wait for uploads. */
const LARGE_BYTES = 4 * 1024 * 1024
const COMMITS_WAITING = 1000
/** A pack is copied without its garbage when that is more than what is alive, and more than this. */
const GARBAGE_BYTES = 1024 * 1024

export interface ProjectFilesParts {
  paths: ProjectPaths
  table: ProjectTable
  journal: RunJournal
  packs: OpenPacks
  queue: KeyedQueue
  limits: FileLimits
  /** Finishes a deletion whose files are still in their place. */
  sweep: (project: string) => Promise<void>
  onRevision: (project: string) => void
  onError: (error: unknown, what: string) => void
}

/**
 * The files of every project, each in a pack of its own. The pack is the truth; the row in the database is an index
 * of it and is written after it.
 */
export class ProjectFiles implements Files {
  readonly #parts: ProjectFilesParts
  readonly #small = new PQueue({ concurrency: SMALL_COMMITS_AT_ONCE })
  readonly #large = new PQueue({ concurrency: LARGE_COMMITS_AT_ONCE })
  #closing = false
  /** Projects whose pack was replaced while the new name could not be made durable. */
  readonly #unnamed = new Set<string>()

  constructor(parts: ProjectFilesParts) {
    this.#parts = parts
  }

  async apply(
    project: string,
    batch: ChangeBatch,
    onComing: (coming: ComingRevision) => void = () => undefined,
  ): Promise<AppliedChanges> {
    checkProjectId(project)
    if (this.#closing) {
      throw new PreviewdError('SHUTTING_DOWN', 'The server is being stopped; nothing was applied.')
    }
    if (this.#small.size + this.#large.size >= COMMITS_WAITING) {
      throw new PreviewdError('OVERLOADED', 'Too many batches are waiting.')
    }
    const sent = toAdditions(batch, this.#parts.limits)
    const applied = await this.#parts.queue.run(project, () =>
      withStorageErrors(() => this.#applyInTurn(project, sent, batch, onComing)),
    )
    if (applied.changed.length > 0) {
      this.#parts.onRevision(project)
      this.#compactLater(project)
    }
    return applied
  }

  async manifest(project: string): Promise<{ revision: number; files: Manifest }> {
    return this.#withPack(project, async (pack, revision) => ({ revision, files: pack?.index ?? new Map() }))
  }

  async snapshot(project: string): Promise<Snapshot> {
    return this.#withPack(
      project,
      async (pack, revision) => new PackSnapshot(project, revision, pack?.retain()),
    )
  }

  /** Takes no more batches; resolves when those that were taken are applied. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#parts.queue.idle()
  }

  async #applyInTurn(
    project: string,
    sent: readonly Addition[],
    batch: ChangeBatch,
    onComing: (coming: ComingRevision) => void,
  ): Promise<AppliedChanges> {
    const { table } = this.#parts
    const pack = await this.#openInTurn(project)
    try {
      const revision = currentRevision(pack, table.packRow(project)?.revision)
      if (batch.baseRevision !== undefined && batch.baseRevision !== revision) {
        throw new PreviewdError(
          'REVISION_CONFLICT',
          `The project is at revision ${revision}, not ${batch.baseRevision}; nothing was applied.`,
          { extra: { revision } },
        )
      }
      const plan = planChanges(pack?.index ?? new Map(), sent, batch, this.#parts.limits)
      const { changed, unchanged } = plan
      if (changed.length === 0) return { revision, changed, unchanged }
      const sizeBytes = plan.additions.reduce((sum, { size }) => sum + size, 0)
      const turn = sizeBytes > LARGE_BYTES ? this.#large : this.#small
      const durable = turn.add(() => this.#commit(project, pack, revision + 1, plan))
      onComing({ revision: revision + 1, changed, files: plan.additions.map(toComingFile), durable })
      await durable
      return { revision: revision + 1, changed, unchanged }
    } finally {
      await pack?.release()
    }
  }

  async #commit(
    project: string,
    pack: PackFile | undefined,
    revision: number,
    plan: ChangePlan,
  ): Promise<void> {
    const { table, journal, packs } = this.#parts
    const { durable } = await journal.enter(project)
    if (pack === undefined) {
      const created = await this.#create(project, revision, plan, durable)
      packs.set(project, created)
      return
    }
    if (this.#unnamed.has(project)) await this.#makeNameDurable(project)
    const before = pack.sizeBytes
    await pack.append(revision, plan.additions, plan.removed)
    try {
      await durable
      table.setPackRow(project, { revision, packBytes: pack.sizeBytes })
    } catch (error) {
      await this.#takeBack(project, pack, before)
      throw error
    }
    packs.set(project, pack.retain())
  }

  /** The first files of a project: its folder and the pack's name in it have to become durable as well. */
  async #create(
    project: string,
    revision: number,
    plan: ChangePlan,
    durable: Promise<void>,
  ): Promise<PackFile> {
    const { paths, table } = this.#parts
    const directory = paths.directory(project)
    await mkdir(directory, { recursive: true })
    const pack = await PackFile.create(paths.pack(project))
    try {
      const written = pack.append(revision, plan.additions, plan.removed)
      await allOf([written, syncDirectory(directory), syncDirectory(paths.projects), durable])
      table.setPackRow(project, { revision, packBytes: pack.sizeBytes })
      return pack
    } catch (error) {
      await pack.release()
      await rm(paths.pack(project), { force: true })
      // Others may keep something there already.
      await rmdir(directory).catch(() => undefined)
      throw error
    }
  }

  async #makeNameDurable(project: string): Promise<void> {
    await syncDirectory(this.#parts.paths.directory(project))
    this.#unnamed.delete(project)
  }

  async #takeBack(project: string, pack: PackFile, sizeBytes: number): Promise<void> {
    try {
      await pack.revert({ sizeBytes })
    } catch (error) {
      // The commit stays in the pack; opening it anew finds that out.
      this.#parts.packs.drop(project)
      this.#parts.onError(error, 'A commit could not be taken back.')
    }
  }

  /** Runs with the project's pack at its newest revision; rejects with PROJECT_NOT_FOUND. */
  async #withPack<T>(
    project: string,
    use: (pack: PackFile | undefined, revision: number) => Promise<T>,
  ): Promise<T> {
    const { table, packs, queue } = this.#parts
    const row = table.packRow(project)
    if (row === undefined) throw new PreviewdError('PROJECT_NOT_FOUND', `There is no project "${project}".`)
    if (row.revision === 0) return use(undefined, 0)
    const open = packs.get(project)
    if (open) return use(open, currentRevision(open, row.revision))
    // Opening mends a torn tail, so it must not happen beside a write.
    return queue.run(project, () =>
      withStorageErrors(async () => {
        const pack = await this.#openInTurn(project)
        try {
          return await use(pack, currentRevision(pack, table.packRow(project)?.revision))
        } finally {
          await pack?.release()
        }
      }),
    )
  }

  /** The pack, held for the caller; undefined where the project has none yet. Only in the project's turn. */
  async #openInTurn(project: string): Promise<PackFile | undefined> {
    const { table, packs, paths, sweep } = this.#parts
    const open = packs.get(project)
    if (open) return open.retain()
    if (table.isBuried(project)) await sweep(project)
    const row = table.packRow(project)
    const pack = await openPack(paths, project, row, this.#parts.onError)
    if (pack === undefined) return undefined
    if (pack.sequence !== row?.revision || pack.sizeBytes !== row.packBytes) {
      table.setPackRow(project, { revision: pack.sequence, packBytes: pack.sizeBytes })
    }
    packs.set(project, pack.retain())
    return pack
  }

  #compactLater(project: string): void {
    const pack = this.#parts.packs.get(project)
    if (pack === undefined || pack.sizeBytes < 2 * GARBAGE_BYTES || !isWorthCompacting(pack, 1)) return
    const { queue, onError } = this.#parts
    // Where others want the disk now, the next batch asks again.
    if (queue.count(project) > 1 || this.#large.pending > 0) return
    queue
      .run(project, async () => this.#large.add(() => this.#compact(project)))
      .catch((error: unknown) => onError(error, `The files of project ${project} could not be compacted.`))
  }

  /** Gives way to a batch that waits, unless garbage has piled up. */
  async #compact(project: string): Promise<void> {
    const { paths, table, packs, queue } = this.#parts
    const pack = await this.#openInTurn(project)
    if (pack === undefined) return
    const copyPath = paths.packCopy(project)
    try {
      const patient = isWorthCompacting(pack, 4)
      const wanted = () => this.#closing || (!patient && queue.count(project) > 1)
      const copy = await pack.copyTo(copyPath, wanted)
      if (copy === undefined) return
      await rename(copyPath, paths.pack(project))
      // From here on the old file has no name: whatever fails now, nothing may be appended to it.
      packs.set(project, copy)
      this.#unnamed.add(project)
      await this.#makeNameDurable(project)
      table.setPackBytes(project, copy.sizeBytes)
    } finally {
      await pack.release()
      await rm(copyPath, { force: true })
    }
  }
}

function toComingFile({ path, size, sha256, content }: Addition): ComingRevision['files'][number] {
  return { path, size, sha256, content: Buffer.isBuffer(content) ? content : undefined }
}

/** Like Promise.all, but nothing is under way any more when it rejects. */
async function allOf(promises: Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises))
    if (result.status === 'rejected') throw result.reason
}

/** Numbers only grow, also where the pack was lost. */
function currentRevision(pack: PackFile | undefined, known = 0): number {
  return pack?.sequence ?? known
}

function isWorthCompacting(pack: PackFile, factor: number): boolean {
  const garbageBytes = pack.garbageBytes()
  return garbageBytes > factor * Math.max(GARBAGE_BYTES, pack.sizeBytes - garbageBytes)
}
