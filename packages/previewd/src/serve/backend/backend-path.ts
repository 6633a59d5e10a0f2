const PRINTABLE_ASCII = /^\/[\x21-\x7e]*$/
const CONTROL_OR_BACKSLASH = /[\p{Cc}\\]/u

/**
 * The path by which a request is matched against prefixes. Undefined for what a back end could take for a path outside
 * of the prefix: dot segments in any spelling, backslashes, control characters. Other escapes, `%2f` included, are the
 * back end's to read.
 */
export function decodeBackendPath(rawPath: string): string | undefined {
  if (!PRINTABLE_ASCII.test(rawPath)) return undefined
  let path: string
  try {
    path = decodeURIComponent(rawPath)
  } catch {
    return undefined
  }
  if (CONTROL_OR_BACKSLASH.test(path)) return undefined
  // Servers of Java resolve `..;a=b`, too: what is behind the semicolon is a parameter to them.
  return path.split('/').some((segment) => /^\.{1,2}(?:;|$)/.test(segment)) ? undefined : path
}
