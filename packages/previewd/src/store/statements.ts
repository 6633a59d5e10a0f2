import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import { toStorageError } from '../model/storage-error.ts'

export type Row = Record<string, SQLOutputValue>

/**
 * Runs SQL of a database, each text prepared once. The texts are constants, so their number is bounded. What the
 * database throws becomes STORAGE_FULL or STORAGE_FAILED.
 */
export class Statements {
  readonly database: DatabaseSync
  readonly #prepared = new Map<string, StatementSync>()

  constructor(database: DatabaseSync) {
    this.database = database
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return coded(() => this.#prepare(sql).get(...values))
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return coded(() => this.#prepare(sql).all(...values))
  }

  /** Answers with the number of rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return coded(() => Number(this.#prepare(sql).run(...values).changes))
  }

  #prepare(sql: string): StatementSync {
    const known = this.#prepared.get(sql)
    if (known) return known
    const prepared = this.database.prepare(sql)
    this.#prepared.set(sql, prepared)
    return prepared
  }
}

function coded<T>(task: () => T): T {
  try {
    return task()
  } catch (error) {
    throw toStorageError(error)
  }
}
