import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const SQLITE_BUSY = 5

export interface DataLock {
  release(): void
}

/**
 * Makes this process the only one that uses the data directory; throws a readable Error where another one does.
 * SQLite's lock on a file of its own is one that the kernel ends with the process, however it dies.
 */
export function lockDataDirectory(dataDir: string): DataLock {
  const owner = join(dataDir, 'previewd.pid')
  const database = new DatabaseSync(join(dataDir, 'previewd.lock'), { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error
    const words = `The data directory ${dataDir} is used by another previewd${readOwner(owner)}.`
    throw Object.assign(new Error(words), { code: 'DATA_IN_USE' })
  }
  writeFileSync(owner, `${process.pid}\n`)
  return { release: () => database.close() }
}

function readOwner(file: string): string {
  try {
    return ` (process ${readFileSync(file, 'utf8').trim()})`
  } catch {
    return ''
  }
}
