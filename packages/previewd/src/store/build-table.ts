import type { DatabaseSync } from 'node:sqlite'
import { type Build, isFinished } from '../model/build.ts'
import type { Builds, Page } from '../model/store.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { transaction } from './database.ts'
import { type Row, Statements } from './statements.ts'

const INSERT = 'INSERT INTO builds (project, id, unfinished, body) VALUES (?, ?, ?, ?)'
const UPDATE = 'UPDATE builds SET unfinished = ?, body = ? WHERE project = ? AND id = ?'
const LIST =
  'SELECT sequence, body FROM builds WHERE project = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?'
const TOUCH = 'UPDATE projects SET active_ms = max(active_ms, ?) WHERE id = ?'

/** The builds of all projects, in the order in which they were queued. */
export class BuildTable implements Builds {
  readonly #sql: Statements
  readonly #now: () => number

  constructor(database: DatabaseSync, now: () => number = Date.now) {
    this.#sql = new Statements(database)
    this.#now = now
  }

  insert(build: Build): void {
    transaction(this.#sql.database, () => {
      this.#sql.run(INSERT, build.project, build.id, isFinished(build.state) ? 0 : 1, JSON.stringify(build))
      this.#sql.run(TOUCH, this.#now(), build.project)
    })
  }

  /** Changes nothing where the build is gone: a project can be deleted while its build is being stopped. */
  update(build: Build): void {
    this.#sql.run(UPDATE, isFinished(build.state) ? 0 : 1, JSON.stringify(build), build.project, build.id)
  }

  get(project: string, id: string): Build | undefined {
    return toBuild(this.#sql.get('SELECT body FROM builds WHERE project = ? AND id = ?', project, id))
  }

  newest(project: string): Build | undefined {
    return toBuild(this.#sql.get(LIST, project, Number.MAX_SAFE_INTEGER, 1))
  }

  /** Newest first. */
  list(project: string, { limit, cursor }: { limit: number; cursor?: string }): Page<Build> {
    const [before = Number.MAX_SAFE_INTEGER] = cursor === undefined ? [] : decodeCursor(cursor, ['number'])
    const rows = this.#sql.all(LIST, project, before, limit + 1)
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    const more = rows.length > limit && last !== undefined
    return {
      items: page.map((row) => JSON.parse(String(row.body)) as Build),
      nextCursor: more ? encodeCursor([Number(last.sequence)]) : null,
    }
  }

  /** Oldest first. */
  unfinished(): Build[] {
    const rows = this.#sql.all('SELECT body FROM builds WHERE unfinished = 1 ORDER BY sequence')
    return rows.map((row) => JSON.parse(String(row.body)) as Build)
  }

  delete(project: string, id: string): void {
    this.#sql.run('DELETE FROM builds WHERE project = ? AND id = ?', project, id)
  }
}

function toBuild(row: Row | undefined): Build | undefined {
  return row && (JSON.parse(String(row.body)) as Build)
}
