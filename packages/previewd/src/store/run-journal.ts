import { type FileHandle, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory } from '../lib/file-io.ts'

/**
 * Names the projects whose packs were written since the store was opened, and goes away when it is closed. One that
 * is there at the start tells which packs the database may be behind of, so that a crash with 100,000 projects costs
 * a look at those few.
 */
export class RunJournal {
  readonly #path: string
  readonly #file: FileHandle
  readonly #entered = new Map<string, Promise<void>>()
  #sizeBytes = 0

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  /** What a store that was not closed left in the data directory; undefined where the last one was closed. */
  static async left(dataDir: string): Promise<string[] | undefined> {
    try {
      // A write that failed leaves a gap of zeros before the next name.
      const lines = (await readFile(join(dataDir, 'running'), 'utf8')).replaceAll('\0', '').split('\n')
      // What follows the last newline is a name that was not written to its end: its project was not touched yet.
      return [...new Set(lines.slice(0, -1))]
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Begins a new one; the old one must not be needed any more. */
  static async begin(dataDir: string): Promise<RunJournal> {
    const path = join(dataDir, 'running')
    const journal = new RunJournal(path, await open(path, 'w', 0o600))
    await journal.#file.sync()
    await syncDirectory(dataDir)
    return journal
  }

  /**
   * Resolves when the project stands in the journal, which has to be before its pack is written; `durable` resolves
   * when it does so through a power failure, which has to be before the write is acknowledged.
   */
  async enter(project: string): Promise<{ durable: Promise<void> }> {
    let durable = this.#entered.get(project)
    if (durable === undefined) {
      const line = Buffer.from(`${project}\n`)
      const offset = this.#sizeBytes
      this.#sizeBytes += line.length
      await this.#file.write(line, 0, line.length, offset)
      durable = this.#file.datasync()
      durable.catch(() => this.#entered.delete(project))
      this.#entered.set(project, durable)
    }
    return { durable }
  }

  async end(): Promise<void> {
    await this.#file.close()
    await rm(this.#path, { force: true })
  }
}
