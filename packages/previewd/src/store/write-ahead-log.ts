import { type FileHandle, open, stat } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'

const LOOK_EVERY_MS = 5000
const CHECKPOINT_BYTES = 4 * 1024 * 1024
/** As text, so that it is the same whether this runs from its sources or compiled. */
const CHECKPOINT = `
  const { DatabaseSync } = require('node:sqlite')
  const database = new DatabaseSync(require('node:worker_threads').workerData, { timeout: 5000 })
  database.exec('PRAGMA wal_checkpoint(PASSIVE)')
  database.close()`

/**
 * Does what SQLite would do about its write-ahead log in the middle of a statement, waiting for the disk while nothing
 * else runs: syncs it shortly after a write that should survive a power failure, and moves a long log into the
 * database from a thread.
 */
export class WriteAheadLog {
  readonly #database: string
  readonly #file: FileHandle
  readonly #onError: (error: unknown, what: string) => void
  readonly #timer: NodeJS.Timeout
  #syncing: Promise<void> | undefined
  #syncAgain = false
  #checkpoint: Promise<void> | undefined

  private constructor(database: string, file: FileHandle, onError: (error: unknown, what: string) => void) {
    this.#database = database
    this.#file = file
    this.#onError = onError
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref()
  }

  /** `database` is the file of a database that is open in WAL mode. */
  static async watch(
    database: string,
    onError: (error: unknown, what: string) => void,
  ): Promise<WriteAheadLog> {
    return new WriteAheadLog(database, await open(`${database}-wal`, 'r'), onError)
  }

  /** Syncs what was written so far, soon. */
  syncSoon(): void {
    this.#syncAgain = true
    this.#syncing ??= this.#sync().finally(() => {
      this.#syncing = undefined
    })
  }

  /** Moves the log into the database; one at a time. */
  checkpoint(): Promise<void> {
    this.#checkpoint ??= runCheckpoint(this.#database).finally(() => {
      this.#checkpoint = undefined
    })
    return this.#checkpoint
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#syncing
    await this.#checkpoint?.catch(() => undefined)
    await this.#file.close()
  }

  async #sync(): Promise<void> {
    try {
      while (this.#syncAgain) {
        this.#syncAgain = false
        await this.#file.datasync()
      }
    } catch (error) {
      this.#onError(error, 'The log of the database could not be synced.')
    }
  }

  #look(): void {
    stat(`${this.#database}-wal`)
      .then(({ size }) => (size > CHECKPOINT_BYTES ? this.checkpoint() : undefined))
      .catch((error: unknown) => this.#onError(error, 'The database could not be checkpointed.'))
  }
}

function runCheckpoint(database: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const worker = new Worker(CHECKPOINT, {
    eval: true,
    workerData: database,
    resourceLimits: { maxOldGenerationSizeMb: 32 },
  })
  worker.once('error', reject)
  worker.once('exit', () => resolve())
  return promise
}
