import type { FileChange, FileEntry } from '../../model/files.ts'
import type { PageRequest } from '../../model/session.ts'
import type { ModuleOfPage } from '../../model/worker.ts'
import { changePackages, changeWhatThereIs } from '../changes.ts'

/** What tools read besides the modules of a page. */
const SETTINGS_FILES = /(?:^|\/)(?:[jt]sconfig[^/]*\.json|\.env[^/]*)$/

export interface MadeOf {
  /** Of the one page of the app. */
  pageFile: string
  /** Missing where they are not known. */
  modules?: readonly ModuleOfPage[]
  /** All that the project had. */
  files: readonly Pick<FileEntry, 'path'>[]
}

/** Says of a recorded answer whether a dev server that starts with other files would give another one. */
export type IsStale = (request: PageRequest) => boolean

/**
 * What no longer holds of recorded answers after files have changed: what was made of those, and whatever was made with
 * that, as far as Vite itself knows. Undefined where any of them may be another now.
 */
export function findStale(
  { pageFile, modules, files }: MadeOf,
  changes: readonly FileChange[],
): IsStale | undefined {
  if (changes.length === 0) return () => false
  if (modules === undefined || changePackages(changes) || changeWhatThereIs(changes)) return undefined
  const changed = new Set(changes.map(({ path }) => path))
  const known = new Set([pageFile, ...modules.flatMap(({ file }) => file ?? [])])
  if (changed.values().some((path) => !known.has(path) || SETTINGS_FILES.test(path))) return undefined
  const own = new Set(files.map(({ path }) => path))
  // A file that the project has not got was written by a tool, or is none: a plugin made it up beside one that there is.
  const isTouched = (file: string) => changed.has(file) || !own.has(file)
  const stale = new Set(
    modules.filter(({ file, isMadeUp }) => isMadeUp || (file !== undefined && isTouched(file))),
  )
  // A set goes on with what is added to it meanwhile.
  for (const { importers } of stale) {
    for (const place of importers) {
      const importer = modules[place]
      if (importer) stale.add(importer)
    }
  }
  const current = new Set(modules.map(({ path }) => path))
  for (const { path } of stale) current.delete(path)
  // Stylesheets that stand in a page are modules as well.
  const ofPages = [...changed, ...[...stale].flatMap(({ file }) => file ?? [])]
  const hasPages = ofPages.some((path) => path.endsWith('.html'))
  return ({ url, accept }) => (accept === 'page' ? hasPages : !current.has(pathOf(url)))
}

/** As Vite writes it; what no browser would send stays as it is, and names no module. */
function pathOf(url: string): string {
  const [path = ''] = url.split('?', 1)
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}
