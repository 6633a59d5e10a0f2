import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { PreviewdError } from '../errors.ts'
import { makeDirectoryDurable } from '../lib/file-io.ts'
import { KeyedQueue } from '../lib/keyed-queue.ts'
import type { Builds, Files, Keys, Projects, ResolvedLocks, SourceNotesTable } from '../model/store.ts'
import { BuildTable } from './build-table.ts'
import { type DataLock, lockDataDirectory } from './data-lock.ts'
import { isIndexed, markIndexed, openDatabase } from './database.ts'
import { KeyTable } from './key-table.ts'
import { Mirror, type MirrorOptions } from './mirror.ts'
import { OpenPacks } from './open-packs.ts'
import type { FileLimits } from './plan-changes.ts'
import { ProjectDeletion } from './project-deletion.ts'
import { ProjectFiles } from './project-files.ts'
import { ProjectPaths } from './project-paths.ts'
import { ProjectTable } from './project-table.ts'
import { type Recovery, recoverProjects } from './recover.ts'
import { ResolvedLockTable } from './resolved-lock-table.ts'
import { RunJournal } from './run-journal.ts'
import { SourceNoteTable } from './source-note-table.ts'
import { WriteAheadLog } from './write-ahead-log.ts'

const DATABASE = 'previewd.db'
/** Batches of one project that may wait for their turn. */
const BATCHES_WAITING = 64
/** Packs held open, and entries of their indexes in memory (about 250 bytes each). */
const OPEN_PACKS = { packs: 256, entries: 200_000 }
const MIRROR: MirrorOptions = { projects: 500, delayMs: 1000 }

export interface StoreLogger {
  info(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface StoreOptions {
  dataDir: string
  limits: FileLimits
  logger?: StoreLogger
  /** Whether the files of active projects are laid out for shell tools, and how; false for not at all. */
  mirror?: MirrorOptions | false
}

export interface Store {
  projects: Projects
  files: Files
  builds: Builds
  keys: Keys
  locks: ResolvedLocks
  sourceNotes: SourceNotesTable
  /** A folder for temporary files, emptied at the start. */
  tmpDir: string
  /** What the start found after a server that was killed; undefined after one that was closed. */
  recovery: Recovery | undefined
  /** Waits for what is under way. */
  close(): Promise<void>
}

/**
 * Opens the data directory, making it where there is none; throws a readable Error where another previewd uses it.
 * After a crash it first brings the database up to what the files hold.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const paths = new ProjectPaths(options.dataDir)
  await makeDataDirectory(options.dataDir, paths.projects)
  const lock = lockDataDirectory(options.dataDir)
  try {
    return await openLocked(options, paths, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Readable by no other user, and open for those of workers to go through. */
async function makeDataDirectory(dataDir: string, projects: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o711 })
    // Sources and builds of all projects: for no other user of the machine.
    await mkdir(projects, { recursive: true, mode: 0o700 })
    await makeDirectoryDurable(projects)
  } catch (cause) {
    const { message, code } = cause as NodeJS.ErrnoException
    // On a read-only file system Node's own words are that there is no such directory.
    const error = new Error(`The data directory ${dataDir} cannot be made or written: ${message}`, { cause })
    throw Object.assign(error, { code })
  }
}

async function openLocked(options: StoreOptions, paths: ProjectPaths, lock: DataLock): Promise<Store> {
  const database = openDatabase(join(options.dataDir, DATABASE))
  try {
    return await compose(options, paths, { database, lock })
  } catch (error) {
    database.close()
    throw error
  }
}

async function compose(
  { dataDir, limits, logger, mirror: mirrorOptions = MIRROR }: StoreOptions,
  paths: ProjectPaths,
  { database, lock }: { database: DatabaseSync; lock: DataLock },
): Promise<Store> {
  const onError = (error: unknown, what: string) => logger?.error({ err: error }, what)
  const table = new ProjectTable(database)
  const packs = new OpenPacks(OPEN_PACKS, (error) => onError(error, 'A pack could not be closed.'))
  const queue = new KeyedQueue(BATCHES_WAITING, (project) => {
    return new PreviewdError('OVERLOADED', `Too many batches of project ${project} are waiting.`)
  })
  const mirror =
    mirrorOptions === false
      ? undefined
      : new Mirror({
          paths,
          table,
          options: mirrorOptions,
          onError,
          snapshot: (project) => files.snapshot(project),
        })
  const deletion = new ProjectDeletion({
    paths,
    table,
    packs,
    queue,
    onError,
    beforeRemoval: async (project) => mirror?.forget(project),
  })

  const tmpDir = join(dataDir, 'tmp')
  await rm(tmpDir, { recursive: true, force: true })
  await mkdir(tmpDir, { mode: 0o700 })
  await deletion.finish()
  const recovery = await recoverAfterCrash(paths, table, database, onError)
  if (recovery) logger?.info({ ...recovery }, 'The last server did not close its store; it was checked.')

  const journal = await RunJournal.begin(dataDir)
  const log = await WriteAheadLog.watch(join(dataDir, DATABASE), onError)
  const files = new ProjectFiles({
    paths,
    table,
    journal,
    packs,
    queue,
    limits,
    sweep: (project) => deletion.sweep(project),
    onRevision: (project) => mirror?.update(project),
    onError,
  })
  const sourceNotes = new SourceNoteTable(database)
  await settleNotes(sourceNotes, files, onError)
  await mirror?.distrust(recovery?.projects ?? [])
  mirror?.catchUp()
  return {
    projects: toProjects(table, deletion, log),
    files,
    builds: new BuildTable(database),
    keys: new KeyTable(database),
    locks: new ResolvedLockTable(database),
    sourceNotes,
    tmpDir,
    recovery,
    async close() {
      await mirror?.close()
      await files.close()
      await deletion.idle()
      packs.clear()
      await log.close()
      database.close()
      await journal.end()
      lock.release()
    },
  }
}

async function recoverAfterCrash(
  paths: ProjectPaths,
  table: ProjectTable,
  database: DatabaseSync,
  onError: (error: unknown, what: string) => void,
): Promise<Recovery | undefined> {
  const written = await RunJournal.left(paths.dataDir)
  const unindexed = !isIndexed(database)
  if (written === undefined && !unindexed) return undefined
  const recovery = await recoverProjects(paths, table, { written: written ?? [], unindexed }, onError)
  markIndexed(database)
  return written === undefined && recovery.projects.length === 0 ? undefined : recovery
}

/** Before anything else changes the files. */
async function settleNotes(
  notes: SourceNoteTable,
  files: ProjectFiles,
  onError: (error: unknown, what: string) => void,
): Promise<void> {
  for (const project of notes.foreseen()) {
    try {
      notes.settle(project, (await files.manifest(project)).files)
    } catch (error) {
      onError(error, `What was known of the source of project ${project} could not be settled.`)
    }
  }
}

function toProjects(table: ProjectTable, deletion: ProjectDeletion, log: WriteAheadLog): Projects {
  return {
    get: (id) => table.get(id),
    list: (options) => table.list(options),
    put(id, settings) {
      const answer = table.put(id, settings)
      log.syncSoon()
      return answer
    },
    setPublished(id, published) {
      table.setPublished(id, published)
      log.syncSoon()
    },
    delete: (id) => deletion.delete(id),
    findByExternalId: (externalId) => table.findByExternalId(externalId),
    count: () => table.count(),
  }
}
