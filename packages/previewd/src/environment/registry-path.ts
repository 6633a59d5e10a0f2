export type RegistryPath = { kind: 'metadata' | 'tarball'; path: string }

const SEGMENT = '[a-z0-9~_-][a-z0-9._~-]*'
const NAME = `(?:@${SEGMENT}(?:/|%2f))?${SEGMENT}`
/** A version may hold a plus sign. */
const FILE = `(?:@${SEGMENT}(?:/|%2f))?[a-z0-9~_-](?:[a-z0-9._~+-]|%2b)*`
const METADATA = new RegExp(`^/${NAME}$`, 'i')
const TARBALL = new RegExp(`^/${NAME}/-/${FILE}$`, 'i')
const MAX_LENGTH = 1024

/**
 * What a request of the installer asks the registry for: the metadata of a package or one of its tarballs. Everything
 * else, and every path with a query, is undefined.
 */
export function parseRegistryPath(url: string): RegistryPath | undefined {
  if (url.length > MAX_LENGTH || url.includes('..')) return undefined
  if (METADATA.test(url)) return { kind: 'metadata', path: url.slice(1) }
  if (TARBALL.test(url)) return { kind: 'tarball', path: url.slice(1) }
  return undefined
}
