import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'

const schema = z.record(z.string(), z.number())

export interface Revocations {
  /** Time in ms up to which grants of the project are void; 0 where none was revoked. */
  get(project: string): number
  /** Durable when it returns. */
  set(project: string, timeMs: number): void
}

/**
 * Keeps when the grants of each project were revoked, in one small file. An entry is dropped once every grant that it
 * could stop has expired by itself, so the file holds the revocations of `keepMs` and no more.
 */
export function openRevocations(file: string, keepMs: number, now: () => number): Revocations {
  const revoked = new Map(Object.entries(read(file)))

  function write(): void {
    const temporary = `${file}.${randomBytes(6).toString('hex')}`
    writeFileSync(temporary, JSON.stringify(Object.fromEntries(revoked)), { mode: 0o600, flush: true })
    renameSync(temporary, file)
  }

  return {
    get: (project) => revoked.get(project) ?? 0,
    set(project, timeMs) {
      for (const [other, at] of revoked) if (at < now() - keepMs) revoked.delete(other)
      revoked.set(project, timeMs)
      write()
    },
  }
}

function read(file: string): Record<string, number> {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw new Error(`${file} cannot be read`, { cause: error })
  }
}
