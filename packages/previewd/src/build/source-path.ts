import { posix } from 'node:path'
import type { Manifest } from '../model/files.ts'
import { APP } from './plan.ts'

/** Where a tool ran, to read the paths that it printed. */
export interface SourcePlace {
  files: Manifest
  /** Folder of package.json inside the files; '' is the top. */
  root: string
}

/**
 * A tool's path as a path of the project: `file://`, `/app/` and queries go, a relative path is looked up below the
 * root, a bundled config is its source. Undefined for what lies outside of the project.
 */
export function projectPath(raw: string, place: SourcePlace): string | undefined {
  const path = raw
    .replace(/^file:\/\//, '')
    .replace(/^\0+/, '')
    .replace(/[?#].*$/, '')
    .replace(/(?:^|\/)node_modules\/\.vite-temp\/(vite\.config\.\w+)\.timestamp-[\w-]+\.mjs$/, '/$1')
    .replace(/(vite\.config\.\w+)\.timestamp-[\w-]+\.mjs$/, '$1')
  if (path === '' || path.length > 1024) return undefined
  if (path.startsWith('/'))
    return path.startsWith(`${APP}/`) ? posix.normalize(path.slice(APP.length + 1)) : undefined
  const below = posix.join(place.root, path)
  const chosen =
    !place.files.has(below) && place.files.has(posix.normalize(path)) ? posix.normalize(path) : below
  return chosen.startsWith('..') || /^\w+:/.test(chosen) ? undefined : chosen
}
