import { PreviewdError } from '../errors.ts'

const MAX_PATH_BYTES = 1024
const MAX_SEGMENT_BYTES = 255
const PLAIN = /^[a-zA-Z0-9_./-]*$/
/** Control characters, and those that make a name read otherwise than it is. */
const REFUSED_CHARACTER = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu
/** Nobody's sources, at any depth. */
const REFUSED_FOLDERS = new Set(['node_modules', '.git'])
/** What the server itself keeps beside a project's files, as the first segment. */
const SERVER_NAMES = new Set(['.file-hashes.json', '.build-status', '.previewd'])

/**
 * Why this cannot be the path of a project's file; undefined where it can. Paths are relative POSIX ones that mean the
 * same to every tool: nothing is repaired. A name that is only written otherwise (full-width dots and slashes,
 * invisible characters, capitals) is judged by what it would become.
 */
export function filePathProblem(path: string): string | undefined {
  if (path === '') return 'is empty'
  if (!path.isWellFormed()) return 'is not valid Unicode'
  if (path.length > MAX_PATH_BYTES || Buffer.byteLength(path) > MAX_PATH_BYTES) {
    return `is longer than ${MAX_PATH_BYTES} bytes`
  }
  if (PLAIN.test(path)) return segmentProblem(path)
  if (REFUSED_CHARACTER.test(path)) return 'has a control character'
  if (path.includes('\\')) return 'has a backslash'
  const compatible = path.normalize('NFKC').replaceAll(IGNORABLE, '')
  if (compatible.includes('\\') || count(compatible, '/') !== count(path, '/'))
    return 'has a look-alike of a slash'
  return segmentProblem(path) ?? segmentProblem(compatible)
}

/**
 * Whether this lies where no project has sources: in a folder of dependencies or of git, or where the server keeps files
 * of its own. Who copies a whole place leaves it out.
 */
export function isNobodysSource(path: string): boolean {
  const segments = path.toLowerCase().split('/')
  return SERVER_NAMES.has(segments[0] ?? '') || segments.some((name) => REFUSED_FOLDERS.has(name))
}

/** Throws INVALID_PATH, naming the path. */
export function checkFilePath(path: string): void {
  const problem = filePathProblem(path)
  if (problem === undefined) return
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path
  throw new PreviewdError('INVALID_PATH', `The path ${JSON.stringify(shown.toWellFormed())} ${problem}.`)
}

function segmentProblem(path: string): string | undefined {
  if (path.startsWith('/')) return 'is absolute'
  const segments = path.split('/')
  for (const segment of segments) {
    if (segment === '') return 'has an empty segment'
    if (segment === '.' || segment === '..') return `has the segment "${segment}"`
    if (segment.length * 3 > MAX_SEGMENT_BYTES && Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) {
      return `has a segment longer than ${MAX_SEGMENT_BYTES} bytes`
    }
    const name = segment.toLowerCase()
    if (REFUSED_FOLDERS.has(name)) return `is inside ${name}`
  }
  const first = segments[0]?.toLowerCase() ?? ''
  return SERVER_NAMES.has(first) ? `has the name ${first}, which the server uses` : undefined
}

function count(text: string, character: string): number {
  return text.split(character).length - 1
}
