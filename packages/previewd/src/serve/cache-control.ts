import { isHtml } from '../lib/content-type.ts'

/** Names that bundlers make from the content: `assets/index-BwZ3kX_a.js`, `chunk.3f9a1c2b.css`. */
const BUNDLED =
  /(?:^|\/)(?:assets|_astro|_app\/immutable|static\/(?:js|css|media))\/(?:[^/]+\/)*[^/]*[-.]([A-Za-z0-9_-]{8,})\.[a-z0-9.]+$/

/** True for files whose name changes with their content, so that one address never has two contents. */
export function isHashedAsset(path: string): boolean {
  const hash = BUNDLED.exec(path)?.[1]
  return hash !== undefined && looksRandom(hash)
}

/** `jquery-validate.js` is a name and no hash: a hash of eight or more has a digit, an underscore or capitals inside. */
function looksRandom(hash: string): boolean {
  const tail = hash.slice(-8)
  return /[0-9_]/.test(tail) || /[A-Z]/.test(tail.slice(1))
}

/**
 * Cache-Control of a file. `immutableUrl`: the address belongs to one build for ever. Private previews stay out of
 * shared caches.
 */
export function cacheControl(path: string, options: { immutableUrl: boolean; isPrivate: boolean }): string {
  const lasting = !isHtml(path) && (options.immutableUrl || isHashedAsset(path))
  const scope = options.isPrivate ? 'private' : 'public'
  if (lasting) return `${scope}, max-age=31536000, immutable`
  return options.isPrivate ? 'private, no-cache' : 'no-cache'
}
