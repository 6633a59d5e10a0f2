/** Characters that mean themselves in a URL path and cannot be part of a trick. */
const PLAIN = /^\/[A-Za-z0-9_\-/~@+,=:!$&'()*;]*(?:\.[A-Za-z0-9_\-~@+,=:!$&'()*;]+)?$/
const PRINTABLE_ASCII = /^[\x21-\x7e]*$/
const REFUSED_ESCAPE = /%(?:[01][0-9a-f]|7f|2f|5c)/i

/**
 * Decodes the path of a request target, once. Returns it with its leading slash, or undefined for what no honest
 * client sends: control characters, encoded slashes, backslashes, `.` and `..` segments, invalid escapes or UTF-8.
 */
export function decodePath(rawPath: string): string | undefined {
  if (PLAIN.test(rawPath)) return rawPath
  if (!rawPath.startsWith('/') || !PRINTABLE_ASCII.test(rawPath)) return undefined
  if (rawPath.includes('\\') || REFUSED_ESCAPE.test(rawPath)) return undefined
  const path = decodeOnce(rawPath)
  if (path === undefined) return undefined
  return path.split('/').some((segment) => segment === '.' || segment === '..') ? undefined : path
}

function decodeOnce(rawPath: string): string | undefined {
  try {
    return decodeURIComponent(rawPath)
  } catch {
    return undefined
  }
}

/** Splits a request target into the raw path and the query with its question mark ('' where there is none). */
export function splitTarget(target: string): { rawPath: string; query: string } {
  const mark = target.indexOf('?')
  if (mark === -1) return { rawPath: target, query: '' }
  return { rawPath: target.slice(0, mark), query: target.slice(mark) }
}

/** True for `.env`, `.git/config` and the like; `.well-known` alone may be served. */
export function hasHiddenSegment(path: string): boolean {
  const first = path.indexOf('/.')
  if (first === -1) return false
  const rest = path.startsWith('/.well-known/') ? path.slice('/.well-known'.length) : path
  return rest.includes('/.')
}
