import type { DatabaseSync } from 'node:sqlite'
import { DEFAULT_SETTINGS, type Project, type ProjectSettings } from '../model/project.ts'
import { checkProjectId } from '../model/project-id.ts'
import type { Page } from '../model/store.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { durably, transaction } from './database.ts'
import { removeResolvedLock } from './resolved-lock-table.ts'
import { type Row, Statements } from './statements.ts'

/** What the database knows of a project's pack. */
export interface PackRow {
  revision: number
  packBytes: number
}

const UPSERT_REVISION = `
  INSERT INTO projects (id, settings, revision, pack_bytes, created_ms, active_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
  ON CONFLICT (id) DO UPDATE SET revision = ?3, pack_bytes = ?4, active_ms = max(active_ms, ?5)`
const UPSERT_SETTINGS = `
  INSERT INTO projects (id, settings, external_id, created_ms, active_ms) VALUES (?1, ?2, ?3, ?4, ?4)
  ON CONFLICT (id) DO UPDATE SET settings = ?2, external_id = ?3, active_ms = max(active_ms, ?4)`
const LIST = 'SELECT * FROM projects ORDER BY active_ms DESC, id DESC LIMIT ?'
const LIST_AFTER = `
  SELECT * FROM projects WHERE (active_ms, id) < (?, ?) ORDER BY active_ms DESC, id DESC LIMIT ?`
const MIRRORED_BEHIND = `
  SELECT id FROM projects WHERE mirrored_revision >= 0 AND mirrored_revision < revision
  ORDER BY active_ms DESC LIMIT ?`
const MIRRORED_BEYOND = `
  SELECT id FROM projects WHERE mirrored_revision >= 0 ORDER BY active_ms DESC LIMIT -1 OFFSET ?`

/** The rows of the projects. */
export class ProjectTable {
  readonly #sql: Statements
  readonly #now: () => number

  constructor(database: DatabaseSync, now: () => number = Date.now) {
    this.#sql = new Statements(database)
    this.#now = now
  }

  get(id: string): Project | undefined {
    const row = this.#sql.get('SELECT * FROM projects WHERE id = ?', id)
    return row && toProject(row)
  }

  list({ limit, cursor }: { limit: number; cursor?: string }): Page<Project> {
    const after = cursor === undefined ? undefined : decodeCursor(cursor, ['number', 'string'])
    const rows = after ? this.#sql.all(LIST_AFTER, ...after, limit + 1) : this.#sql.all(LIST, limit + 1)
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    const more = rows.length > limit && last !== undefined
    return {
      items: page.map(toProject),
      nextCursor: more ? encodeCursor([Number(last.active_ms), String(last.id)]) : null,
    }
  }

  put(id: string, settings: Partial<ProjectSettings>): { project: Project; created: boolean } {
    checkProjectId(id)
    return transaction(this.#sql.database, () => {
      const before = this.get(id)
      const merged = { ...DEFAULT_SETTINGS, ...before?.settings, ...withoutUndefined(settings) }
      this.#sql.run(UPSERT_SETTINGS, id, JSON.stringify(merged), merged.externalId ?? null, this.#now())
      return { project: this.get(id) as Project, created: before === undefined }
    })
  }

  setPublished(id: string, published: { buildId: string; revision: number }): void {
    const sql = 'UPDATE projects SET published_build = ?, published_revision = ? WHERE id = ?'
    this.#sql.run(sql, published.buildId, published.revision, id)
  }

  /** The one with the newest activity where several have it. */
  findByExternalId(externalId: string): Project | undefined {
    const row = this.#sql.get(
      'SELECT * FROM projects WHERE external_id = ? ORDER BY active_ms DESC LIMIT 1',
      externalId,
    )
    return row && toProject(row)
  }

  count(): number {
    return Number(this.#sql.get('SELECT count(*) AS count FROM projects')?.count)
  }

  packRow(id: string): PackRow | undefined {
    const row = this.#sql.get('SELECT revision, pack_bytes FROM projects WHERE id = ?', id)
    return row && { revision: Number(row.revision), packBytes: Number(row.pack_bytes) }
  }

  /** Notes what the pack holds; makes the row where there is none. */
  setPackRow(id: string, { revision, packBytes }: PackRow): void {
    this.#sql.run(UPSERT_REVISION, id, JSON.stringify(DEFAULT_SETTINGS), revision, packBytes, this.#now())
  }

  /** The pack was copied: same revision, other size. */
  setPackBytes(id: string, packBytes: number): void {
    this.#sql.run('UPDATE projects SET pack_bytes = ? WHERE id = ?', packBytes, id)
  }

  /** Notes that the project's files are to be laid out, where none of its revisions is. */
  wantMirrored(id: string): void {
    this.#sql.run('UPDATE projects SET mirrored_revision = 0 WHERE id = ? AND mirrored_revision < 0', id)
  }

  /** Notes which revision is laid out; -1 where none is or has to be. */
  setMirrored(id: string, revision: number): void {
    this.#sql.run('UPDATE projects SET mirrored_revision = ? WHERE id = ?', revision, id)
  }

  /** Projects whose files are laid out at an older revision. */
  mirroredBehind(limit: number): string[] {
    const rows = this.#sql.all(MIRRORED_BEHIND, limit)
    return rows.map((row) => String(row.id))
  }

  /** Projects whose files are laid out, but for the `count` newest in activity. */
  mirroredBeyond(count: number): string[] {
    const rows = this.#sql.all(MIRRORED_BEYOND, count)
    return rows.map((row) => String(row.id))
  }

  /** Removes every row of a project and notes that its files have to go; false where there is no such project. */
  bury(id: string): boolean {
    return durably(this.#sql.database, () => {
      if (this.#sql.run('DELETE FROM projects WHERE id = ?', id) === 0) return false
      this.#sql.run('INSERT OR IGNORE INTO deletions (project) VALUES (?)', id)
      this.#sql.run('DELETE FROM builds WHERE project = ?', id)
      removeResolvedLock(this.#sql, id)
      this.#sql.run('DELETE FROM source_notes WHERE project = ?', id)
      this.#sql.run('DELETE FROM foreseen_notes WHERE project = ?', id)
      this.#sql.run('DELETE FROM unstored WHERE project = ?', id)
      return true
    })
  }

  /** Projects that were deleted while their files may still be in their place. */
  buried(): string[] {
    return this.#sql.all('SELECT project FROM deletions').map((row) => String(row.project))
  }

  isBuried(id: string): boolean {
    return this.#sql.get('SELECT 1 FROM deletions WHERE project = ?', id) !== undefined
  }

  unbury(id: string): void {
    this.#sql.run('DELETE FROM deletions WHERE project = ?', id)
  }
}

function toProject(row: Row): Project {
  const project: Project = {
    id: String(row.id),
    settings: { ...DEFAULT_SETTINGS, ...(JSON.parse(String(row.settings)) as ProjectSettings) },
    revision: Number(row.revision),
    createdAt: new Date(Number(row.created_ms)).toISOString(),
    activeAt: new Date(Number(row.active_ms)).toISOString(),
  }
  if (row.published_build !== null) {
    project.published = { buildId: String(row.published_build), revision: Number(row.published_revision) }
  }
  return project
}

function withoutUndefined(settings: Partial<ProjectSettings>): Partial<ProjectSettings> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}
