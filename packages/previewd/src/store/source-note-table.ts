import type { DatabaseSync } from 'node:sqlite'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Manifest } from '../model/files.ts'
import type { ComingNotes, SourceNotes } from '../model/source.ts'
import type { SourceNotesTable } from '../model/store.ts'
import { transaction } from './database.ts'
import { Statements } from './statements.ts'

const upsertInto = (table: 'source_notes' | 'foreseen_notes') => `
  INSERT INTO ${table} (project, body) SELECT id, ?2 FROM projects WHERE id = ?1
  ON CONFLICT (project) DO UPDATE SET body = ?2`
const SET = upsertInto('source_notes')
const FORESEE = upsertInto('foreseen_notes')

/** Hashes do not compress; names do at once. */
const FASTEST = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

type Note = { version: string; sha256: string }
/** A path alone is a file that the source does not have. */
type Kept = { place: string; files: [path: string, version?: string, sha256?: string][] }

/** What each project's source held, one compressed text a project (about 100 bytes a file before that). */
export class SourceNoteTable implements SourceNotesTable {
  readonly #sql: Statements

  constructor(database: DatabaseSync) {
    this.#sql = new Statements(database)
  }

  get(project: string): SourceNotes | undefined {
    const row = this.#sql.get('SELECT body FROM source_notes WHERE project = ?', project)
    const kept = row && unpacked(row.body)
    const isNote = (entry: [string, Note | undefined]): entry is [string, Note] => entry[1] !== undefined
    return kept && { place: kept.place, files: new Map([...kept.files].filter(isNote)) }
  }

  set(project: string, notes: SourceNotes): void {
    const body = packed(notes)
    transaction(this.#sql.database, () => {
      this.#sql.run(SET, project, body)
      this.#sql.run('DELETE FROM foreseen_notes WHERE project = ?', project)
    })
  }

  foresee(project: string, coming: ComingNotes): void {
    this.#sql.run(FORESEE, project, packed(coming))
  }

  /** Projects of which something was foreseen that is not settled. */
  foreseen(): string[] {
    return this.#sql.all('SELECT project FROM foreseen_notes').map((row) => String(row.project))
  }

  settle(project: string, manifest: Manifest): void {
    const row = this.#sql.get('SELECT body FROM foreseen_notes WHERE project = ?', project)
    if (row === undefined) return
    const coming = unpacked(row.body)
    const before = this.get(project)
    const notes = settled(before?.place === coming.place ? before : undefined, coming, manifest)
    if (notes) this.set(project, notes)
    else this.#sql.run('DELETE FROM foreseen_notes WHERE project = ?', project)
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

/** Where the project was never level with the place, it has to be in every path; else nothing is known. */
function settled(
  before: SourceNotes | undefined,
  coming: ComingNotes,
  manifest: Manifest,
): SourceNotes | undefined {
  const files = new Map(before?.files)
  let isLevel = true
  for (const [path, note] of coming.files) {
    if (manifest.get(path)?.sha256 !== note?.sha256) isLevel = false
    else if (note) files.set(path, note)
    else files.delete(path)
  }
  return before || isLevel ? { place: coming.place, files } : undefined
}

function packed({ place, files }: ComingNotes): Uint8Array {
  const kept: Kept = {
    place,
    files: [...files].map(([path, note]) => (note ? [path, note.version, note.sha256] : [path])),
  }
  return zstdCompressSync(JSON.stringify(kept), FASTEST)
}

function unpacked(body: unknown): ComingNotes {
  const { place, files } = JSON.parse(zstdDecompressSync(body as Uint8Array).toString()) as Kept
  const entries = files.map(([path, version, sha256]): [string, Note | undefined] => {
    return [path, version === undefined || sha256 === undefined ? undefined : { version, sha256 }]
  })
  return { place, files: new Map(entries) }
}
