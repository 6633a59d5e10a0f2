import type { DatabaseSync } from 'node:sqlite'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { SourceNotes } from '../model/source.ts'
import type { SourceNotesTable } from '../model/store.ts'
import { Statements } from './statements.ts'

const SET = `
  INSERT INTO source_notes (project, body) SELECT id, ?2 FROM projects WHERE id = ?1
  ON CONFLICT (project) DO UPDATE SET body = ?2`

/** Hashes do not compress; names do at once. */
const FASTEST = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

type Kept = { place: string; files: [path: string, version: string, sha256: string][] }

/** What each project's source held, one compressed text a project (about 100 bytes a file before that). */
export class SourceNoteTable implements SourceNotesTable {
  readonly #sql: Statements

  constructor(database: DatabaseSync) {
    this.#sql = new Statements(database)
  }

  get(project: string): SourceNotes | undefined {
    const row = this.#sql.get('SELECT body FROM source_notes WHERE project = ?', project)
    if (row === undefined) return undefined
    const { place, files } = JSON.parse(zstdDecompressSync(row.body as Uint8Array).toString()) as Kept
    return { place, files: new Map(files.map(([path, version, sha256]) => [path, { version, sha256 }])) }
  }

  set(project: string, { place, files }: SourceNotes): void {
    const kept: Kept = {
      place,
      files: [...files].map(([path, { version, sha256 }]) => [path, version, sha256]),
    }
    this.#sql.run(SET, project, zstdCompressSync(JSON.stringify(kept), FASTEST))
  }
  setUnstored(project: string, isUnstored: boolean): boolean {
    const sql = isUnstored
      ? 'INSERT OR IGNORE INTO unstored (project) VALUES (?)'
      : 'DELETE FROM unstored WHERE project = ?'
    return this.#sql.run(sql, project) > 0
  }

  unstored(): string[] {
    return this.#sql.all('SELECT project FROM unstored').map((row) => String(row.project))
  }
}
