import { basename } from 'node:path'
import { isProjectId } from '../model/project-id.ts'

/** The id that a folder's name makes; undefined where it makes none. */
export function projectIdOf(folder: string): string | undefined {
  const id = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replaceAll(/^-|-$/g, '')
  return isProjectId(id) ? id : undefined
}
