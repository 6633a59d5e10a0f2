import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyedQueue } from '../lib/keyed-queue.ts'
import { withStorageErrors } from '../model/storage-error.ts'
import type { OpenPacks } from './open-packs.ts'
import type { ProjectPaths } from './project-paths.ts'
import type { ProjectTable } from './project-table.ts'

export interface ProjectDeletionParts {
  paths: ProjectPaths
  table: ProjectTable
  packs: OpenPacks
  queue: KeyedQueue
  /** Stops what else writes into the project's folder. */
  beforeRemoval: (project: string) => Promise<void>
  onError: (error: unknown, what: string) => void
}

/**
 * Deletes projects: the row first, with a note that the files have to go, then the folder in one rename, then at
 * leisure what it held. A server that is killed in between finishes that when it starts.
 */
export class ProjectDeletion {
  readonly #parts: ProjectDeletionParts
  #emptying: Promise<void> = Promise.resolve()

  constructor(parts: ProjectDeletionParts) {
    this.#parts = parts
  }

  /** False where there was no such project. */
  async delete(project: string): Promise<boolean> {
    const { table, packs, queue, onError } = this.#parts
    return queue.run(project, () =>
      withStorageErrors(async () => {
        if (!table.bury(project)) return false
        packs.drop(project)
        // The project is gone by now; a folder that cannot be moved goes when its name is used again, or at the start.
        await this.sweep(project).catch((error: unknown) =>
          onError(error, 'A deleted folder could not be moved.'),
        )
        return true
      }),
    )
  }

  /** Takes a deleted project's folder away, so that a new project can have its name. Only in the project's turn. */
  async sweep(project: string): Promise<void> {
    const { paths, table, beforeRemoval } = this.#parts
    await beforeRemoval(project)
    await mkdir(paths.trash, { recursive: true, mode: 0o700 })
    try {
      await rename(paths.directory(project), paths.freshTrash(project))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    table.unbury(project)
    this.#emptyTrash()
  }

  /** Does what a killed server left undone. */
  async finish(): Promise<void> {
    for (const project of this.#parts.table.buried()) await this.sweep(project)
    this.#emptyTrash()
  }

  /** Resolves when the trash is empty. */
  async idle(): Promise<void> {
    await this.#emptying
  }

  #emptyTrash(): void {
    const { paths, onError } = this.#parts
    this.#emptying = this.#emptying
      .then(() => removeContent(paths.trash))
      .catch((error: unknown) => onError(error, 'The files of deleted projects could not be removed.'))
  }
}

async function removeContent(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  for (const name of names) await rm(join(directory, name), { recursive: true, force: true })
}
