import { contentTypeOf, isCompressible, isHtml } from '../lib/content-type.ts'
import type { Artifact, Encoding } from '../model/artifact.ts'
import type { FileEntry } from '../model/files.ts'
import { cacheControl } from './cache-control.ts'

/** How the files of a site are sent: one for each kind of address, made once. */
export interface SiteProfile {
  isPrivate: boolean
  /** The address belongs to one build for ever. */
  immutableUrl: boolean
  /** Headers of every answer, name and value by turns. */
  always: readonly string[]
  /** Headers of pages besides. */
  pages: readonly string[]
  /** What Vary names besides Accept-Encoding. */
  vary: readonly string[]
}

/** One file in one encoding, with the headers it is sent with. */
export interface Representation {
  entry: FileEntry
  encoding: Encoding
  sizeBytes: number
  /** Strong: each encoding has its own. */
  etag: string
  /** Headers that a 304 repeats. */
  validators: readonly string[]
  /** All headers but Content-Length, name and value by turns. */
  headers: readonly string[]
  /** The same with the Content-Length of the whole. */
  wholeHeaders: readonly string[]
}

/** Makes representations, and keeps them as long as the artifact that the entry belongs to stays open. */
export class Representations {
  readonly #profile: SiteProfile
  readonly #known = new WeakMap<FileEntry, Map<Encoding, Representation>>()

  constructor(profile: SiteProfile) {
    this.#profile = profile
  }

  /** The variant of a file that suits best; `accepted` is best first and ends in identity. */
  choose(artifact: Artifact, entry: FileEntry, accepted: readonly Encoding[]): Representation {
    const stored = artifact.encodings(entry.path)
    const encoding = accepted.find((candidate) => stored.has(candidate)) ?? 'identity'
    const variants = this.#known.get(entry) ?? new Map<Encoding, Representation>()
    const known = variants.get(encoding)
    if (known !== undefined) return known
    const made = represent(entry, encoding, stored.get(encoding)?.size ?? entry.size, this.#profile)
    this.#known.set(entry, variants.set(encoding, made))
    return made
  }
}

const ETAG_SUFFIX: Record<Encoding, string> = { identity: '', gzip: '-gz', br: '-br' }

function represent(
  entry: FileEntry,
  encoding: Encoding,
  sizeBytes: number,
  profile: SiteProfile,
): Representation {
  const etag = etagOf(entry, ETAG_SUFFIX[encoding])
  const vary = [...(isCompressible(entry.path) ? ['Accept-Encoding'] : []), ...profile.vary]
  const validators = ['ETag', etag, 'Cache-Control', cacheControl(entry.path, profile)]
  if (vary.length > 0) validators.push('Vary', vary.join(', '))
  const headers = [...validators, 'Content-Type', contentTypeOf(entry.path), ...profile.always]
  if (encoding === 'identity') headers.push('Accept-Ranges', 'bytes')
  else headers.push('Content-Encoding', encoding)
  if (isHtml(entry.path)) headers.push(...profile.pages)
  const wholeHeaders = [...headers, 'Content-Length', String(sizeBytes)]
  return { entry, encoding, sizeBytes, etag, validators, headers, wholeHeaders }
}

/** A strong ETag from the content's hash; `suffix` tells variants of one content apart. */
export function etagOf(entry: FileEntry, suffix: string): string {
  return `"${Buffer.from(entry.sha256, 'hex').toString('base64url').slice(0, 27)}${suffix}"`
}
