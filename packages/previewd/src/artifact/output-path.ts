import { PreviewdError } from '../errors.ts'

const MAX_PATH_BYTES = 1024
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const REFUSED_CHARACTER = /[\u0000-\u001f\u007f\\]/

/**
 * Rejects with INVALID_PATH what a hostile build may name a file: an artifact's paths become URLs, and shell tools
 * lay them out as files.
 */
export function checkOutputPath(path: string): void {
  const wellFormed = path.isWellFormed() && !REFUSED_CHARACTER.test(path)
  const segments = path.split('/')
  const relative = segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..')
  if (wellFormed && relative && Buffer.byteLength(path) <= MAX_PATH_BYTES) return
  throw new PreviewdError(
    'INVALID_PATH',
    `The build made a file with a name that is not allowed: ${shown(path)}`,
  )
}

function shown(path: string): string {
  return JSON.stringify(path.slice(0, 200))
}
