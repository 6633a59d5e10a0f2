import { readdir } from 'node:fs/promises'
import { isProjectId } from '../model/project-id.ts'
import { openPack } from './open-pack.ts'
import type { ProjectPaths } from './project-paths.ts'
import type { ProjectTable } from './project-table.ts'

export interface Recovery {
  /** Projects that were looked at: the last server may have written to them. */
  projects: string[]
  /** Those whose row was behind their pack, or missing. */
  updated: string[]
}

/**
 * Brings the rows up to what the packs hold: those of the projects named, and of every folder where the database
 * does not know them. Torn tails are cut.
 */
export async function recoverProjects(
  paths: ProjectPaths,
  table: ProjectTable,
  left: { written: string[]; unindexed: boolean },
  onError: (error: unknown, what: string) => void,
): Promise<Recovery> {
  const found = left.unindexed ? await readdir(paths.projects) : []
  const projects = [...new Set([...left.written, ...found])].filter(isProjectId)
  const updated: string[] = []
  for (const project of projects) {
    if (table.isBuried(project)) continue
    const row = table.packRow(project)
    const pack = await openPack(paths, project, row, onError)
    if (pack === undefined) continue
    if (pack.sequence !== row?.revision || pack.sizeBytes !== row.packBytes) {
      table.setPackRow(project, { revision: pack.sequence, packBytes: pack.sizeBytes })
      updated.push(project)
    }
    await pack.release()
  }
  return { projects, updated }
}
