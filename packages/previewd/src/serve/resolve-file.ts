import { looksLikeAsset } from '../lib/content-type.ts'
import type { FileEntry, Manifest } from '../model/files.ts'

/** What a path of a site leads to. */
export type Resolution =
  | { kind: 'file'; entry: FileEntry }
  /** The site's own page for what is missing, to be sent with 404. */
  | { kind: 'not-found-page'; entry: FileEntry }
  | { kind: 'add-slash' }
  | { kind: 'missing' }

/**
 * Finds the file for a decoded path that starts with a slash. `navigation` tells whether a browser would show the
 * answer as a page: only those get the fallback to index.html of a single-page app.
 */
export function resolveFile(
  files: Manifest,
  path: string,
  options: { spa: boolean; navigation: boolean },
): Resolution {
  const name = path.slice(1)
  const exact = files.get(name)
  if (exact !== undefined) return { kind: 'file', entry: exact }
  return resolvePage(files, name) ?? resolveMiss(files, name, options)
}

function resolvePage(files: Manifest, name: string): Resolution | undefined {
  if (name === '' || name.endsWith('/')) return fileAt(files, `${name}index.html`)
  const clean = fileAt(files, `${name}.html`)
  if (clean !== undefined) return clean
  // Relative links of the page would lead elsewhere without the slash.
  return files.has(`${name}/index.html`) ? { kind: 'add-slash' } : undefined
}

function resolveMiss(
  files: Manifest,
  name: string,
  options: { spa: boolean; navigation: boolean },
): Resolution {
  const page = options.navigation && !looksLikeAsset(name)
  if (!page) return { kind: 'missing' }
  if (options.spa) return fileAt(files, 'index.html') ?? { kind: 'missing' }
  const own = files.get('404.html')
  return own === undefined ? { kind: 'missing' } : { kind: 'not-found-page', entry: own }
}

function fileAt(files: Manifest, name: string): Resolution | undefined {
  const entry = files.get(name)
  return entry === undefined ? undefined : { kind: 'file', entry }
}
