import { hash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { ResolvedLocks } from '../model/store.ts'
import { transaction } from './database.ts'
import { Statements } from './statements.ts'

const GET = `
  SELECT manifest_hash, body FROM resolved_locks JOIN lockfiles ON hash = lockfile WHERE project = ?`
const DELETE_UNUSED = `
  DELETE FROM lockfiles WHERE hash = ? AND NOT EXISTS (SELECT 1 FROM resolved_locks WHERE lockfile = hash)`

/** Lockfiles that resolution made. Projects from one template share one: each text is kept once, compressed. */
export class ResolvedLockTable implements ResolvedLocks {
  readonly #sql: Statements

  constructor(database: DatabaseSync) {
    this.#sql = new Statements(database)
  }

  get(project: string): { manifestHash: string; lockfile: string } | undefined {
    const row = this.#sql.get(GET, project)
    if (row === undefined) return undefined
    const lockfile = zstdDecompressSync(row.body as Uint8Array).toString()
    return { manifestHash: String(row.manifest_hash), lockfile }
  }

  set(project: string, { manifestHash, lockfile }: { manifestHash: string; lockfile: string }): void {
    const key = hash('sha256', lockfile, 'buffer')
    transaction(this.#sql.database, () => {
      removeResolvedLock(this.#sql, project)
      if (this.#sql.get('SELECT 1 FROM lockfiles WHERE hash = ?', key) === undefined) {
        this.#sql.run('INSERT INTO lockfiles (hash, body) VALUES (?, ?)', key, zstdCompressSync(lockfile))
      }
      this.#sql.run('INSERT INTO resolved_locks VALUES (?, ?, ?)', project, manifestHash, key)
    })
  }
}

/** Inside a transaction of the caller. */
export function removeResolvedLock(sql: Statements, project: string): void {
  const row = sql.get('SELECT lockfile FROM resolved_locks WHERE project = ?', project)
  if (row === undefined) return
  sql.run('DELETE FROM resolved_locks WHERE project = ?', project)
  sql.run(DELETE_UNUSED, row.lockfile as Uint8Array)
}
