import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { toStorageError } from '../model/storage-error.ts'

/** Each brings the schema from one `user_version` to the next; those that were released are never edited. */
const MIGRATIONS = [
  `CREATE TABLE projects (
     id TEXT PRIMARY KEY,
     settings TEXT NOT NULL,
     external_id TEXT,
     revision INTEGER NOT NULL DEFAULT 0,
     pack_bytes INTEGER NOT NULL DEFAULT 0,
     mirrored_revision INTEGER NOT NULL DEFAULT -1,
     published_build TEXT,
     published_revision INTEGER,
     created_ms INTEGER NOT NULL,
     active_ms INTEGER NOT NULL
   ) WITHOUT ROWID, STRICT;
   CREATE INDEX projects_by_activity ON projects (active_ms, id);
   CREATE INDEX projects_by_external_id ON projects (external_id, active_ms) WHERE external_id IS NOT NULL;
   CREATE INDEX projects_mirrored ON projects (active_ms) WHERE mirrored_revision >= 0;

   CREATE TABLE deletions (project TEXT PRIMARY KEY) WITHOUT ROWID, STRICT;

   CREATE TABLE builds (
     sequence INTEGER PRIMARY KEY AUTOINCREMENT,
     project TEXT NOT NULL,
     id TEXT NOT NULL,
     unfinished INTEGER NOT NULL,
     body TEXT NOT NULL,
     UNIQUE (project, id)
   ) STRICT;
   CREATE INDEX builds_by_project ON builds (project, sequence);
   CREATE INDEX builds_unfinished ON builds (sequence) WHERE unfinished = 1;

   CREATE TABLE keys (
     id TEXT PRIMARY KEY,
     hash BLOB NOT NULL UNIQUE,
     name TEXT NOT NULL,
     scope TEXT NOT NULL,
     created_ms INTEGER NOT NULL,
     used_ms INTEGER
   ) WITHOUT ROWID, STRICT;

   CREATE TABLE lockfiles (hash BLOB PRIMARY KEY, body BLOB NOT NULL) STRICT;
   CREATE TABLE resolved_locks (
     project TEXT PRIMARY KEY,
     manifest_hash TEXT NOT NULL,
     lockfile BLOB NOT NULL REFERENCES lockfiles (hash)
   ) WITHOUT ROWID, STRICT;
   CREATE INDEX resolved_locks_by_lockfile ON resolved_locks (lockfile);`,
  'CREATE TABLE source_notes (project TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID, STRICT;',
  'CREATE TABLE unstored (project TEXT PRIMARY KEY) WITHOUT ROWID, STRICT;',
  'CREATE TABLE foreseen_notes (project TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID, STRICT;',
]

/** Stands in the database's header once the projects that lie beside it are all in it. */
const INDEXED = 0x50764431

/**
 * Opens the database and brings its schema up to date. Checkpoints are the caller's (write-ahead-log.ts), but for a log
 * of 64 MiB. A commit survives the death of the process; that it survives
 * a power failure as well takes `durably`.
 */
export function openDatabase(file: string): DatabaseSync {
  // It holds the projects' env; SQLite gives its other files the same mode.
  closeSync(openSync(file, 'a', 0o600))
  const database = new DatabaseSync(file, { timeout: 5000 })
  try {
    database.exec(
      'PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8192; PRAGMA wal_autocheckpoint=16384',
    )
    migrate(database)
  } catch (error) {
    database.close()
    throw error
  }
  return database
}

/** False for a database that was just made: projects may lie beside it that it does not know. */
export function isIndexed(database: DatabaseSync): boolean {
  return database.prepare('PRAGMA application_id').get()?.application_id === INDEXED
}

export function markIndexed(database: DatabaseSync): void {
  database.exec(`PRAGMA application_id=${INDEXED}`)
}

function migrate(database: DatabaseSync): void {
  const row = database.prepare('PRAGMA user_version').get()
  const version = Number(row?.user_version)
  if (version > MIGRATIONS.length) {
    throw new Error(
      `The database has schema ${version}, which is newer than this previewd (${MIGRATIONS.length}).`,
    )
  }
  for (let next = version; next < MIGRATIONS.length; next++) {
    transaction(database, () => database.exec(`${MIGRATIONS[next]}; PRAGMA user_version=${next + 1}`))
  }
}

export function transaction<T>(database: DatabaseSync, task: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = task()
    database.exec('COMMIT')
    return result
  } catch (error) {
    // A failed COMMIT may have ended the transaction itself.
    if (database.isTransaction) database.exec('ROLLBACK')
    throw toStorageError(error)
  }
}

/** A transaction that also survives a power failure. It waits for the disk, so it is for what happens rarely. */
export function durably<T>(database: DatabaseSync, task: () => T): T {
  database.exec('PRAGMA synchronous=FULL')
  try {
    return transaction(database, task)
  } finally {
    database.exec('PRAGMA synchronous=NORMAL')
  }
}
