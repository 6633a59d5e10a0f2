import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { ApiKey, KeyScope, Keys } from '../model/store.ts'
import { durably } from './database.ts'
import { type Row, Statements } from './statements.ts'

const PREFIX = 'pvd_'
const SECRET_BYTES = 32
/** Uses are noted at most this often per key, so that a busy client does not write on each request. */
const NOTE_USE_EVERY_MS = 60_000

/** API keys: `pvd_` and 32 random bytes in base64url, of which only the SHA-256 is kept. */
export class KeyTable implements Keys {
  readonly #sql: Statements
  readonly #now: () => number

  constructor(database: DatabaseSync, now: () => number = Date.now) {
    this.#sql = new Statements(database)
    this.#now = now
  }

  create(name: string, scope: KeyScope): { key: string; record: ApiKey } {
    const key = PREFIX + randomBytes(SECRET_BYTES).toString('base64url')
    const id = randomBytes(9).toString('hex')
    const createdMs = this.#now()
    durably(this.#sql.database, () =>
      this.#sql.run(
        'INSERT INTO keys (id, hash, name, scope, created_ms) VALUES (?, ?, ?, ?, ?)',
        id,
        hashOf(key),
        name,
        JSON.stringify(scope),
        createdMs,
      ),
    )
    return { key, record: { id, name, scope, createdAt: new Date(createdMs).toISOString() } }
  }

  /**
   * The key's record; undefined where there is no such key. The time it takes tells at most about the key's hash,
   * which cannot be chosen towards a wanted value.
   */
  verify(key: string): ApiKey | undefined {
    const sum = hashOf(key)
    const row = this.#sql.get('SELECT * FROM keys WHERE hash = ?', sum)
    if (row === undefined || !timingSafeEqual(row.hash as Uint8Array, sum)) return undefined
    const nowMs = this.#now()
    if (nowMs - Number(row.used_ms ?? 0) >= NOTE_USE_EVERY_MS) {
      this.#sql.run('UPDATE keys SET used_ms = ? WHERE id = ?', nowMs, String(row.id))
      row.used_ms = nowMs
    }
    return toKey(row)
  }

  /** Oldest first. */
  list(): ApiKey[] {
    return this.#sql.all('SELECT * FROM keys ORDER BY created_ms, id').map(toKey)
  }

  delete(id: string): boolean {
    return durably(this.#sql.database, () => this.#sql.run('DELETE FROM keys WHERE id = ?', id) > 0)
  }
}

function hashOf(key: string): Buffer {
  return hash('sha256', key, 'buffer')
}

function toKey(row: Row): ApiKey {
  const record: ApiKey = {
    id: String(row.id),
    name: String(row.name),
    scope: JSON.parse(String(row.scope)) as KeyScope,
    createdAt: new Date(Number(row.created_ms)).toISOString(),
  }
  if (row.used_ms !== null) record.lastUsedAt = new Date(Number(row.used_ms)).toISOString()
  return record
}
