import { copyFile, rename } from 'node:fs/promises'
import { PackDamaged, PackFile } from '../lib/pack/pack-file.ts'
import type { ProjectPaths } from './project-paths.ts'
import type { PackRow } from './project-table.ts'

/**
 * Opens a project's pack to be written; everything that counts in it is durable then. Undefined where there are no
 * files yet. What a disk made unreadable is reported and put aside, and the newest revision that is whole is opened.
 */
export async function openPack(
  paths: ProjectPaths,
  project: string,
  row: PackRow | undefined,
  onError: (error: unknown, what: string) => void,
): Promise<PackFile | undefined> {
  const path = paths.pack(project)
  const options = { repair: true, ...(row && row.packBytes > 0 && { knownBytes: row.packBytes }) }
  try {
    const pack = await PackFile.open(path, { ...options, atLeast: row?.revision ?? 0 })
    if (pack === undefined && row && row.revision > 0) {
      onError(
        undefined,
        `The files of project ${project} cannot be read; they are put aside as files.pack.damaged.`,
      )
      await rename(path, `${path}.damaged`).catch(ignoreMissing)
    }
    return pack
  } catch (error) {
    if (!(error instanceof PackDamaged)) throw error
    onError(
      error,
      `The newest files of project ${project} cannot be read; a copy is put aside as files.pack.damaged.`,
    )
    await copyFile(path, `${path}.damaged`)
    return PackFile.open(path, options)
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
