import { isHtml } from '../lib/content-type.ts'

/** Folders into which bundlers put what they name by content. */
const BUNDLED = /(?:^|\/)(?:assets|_astro|_nuxt|static\/(?:js|css|media))\//
/** `index-BwZ3kX_a.js`, `main.3f9a1c2b.css`, `BwZ3kX_a.mjs`. */
const HASHED_NAME = /(?:^|[-./])([A-Za-z0-9_-]{8}|[0-9a-f]{9,40})(?:\.[a-z0-9]{1,8}){1,3}$/

/** True in the folders of bundlers, where a page that is open asks for files of its own build. */
export function isBundled(path: string): boolean {
  return BUNDLED.test(path) || path.includes('_app/immutable/')
}

/** True for files whose name changes with their content, so that one address never has two contents. */
export function isHashedAsset(path: string): boolean {
  if (path.includes('_app/immutable/')) return true
  const hash = BUNDLED.test(path) ? HASHED_NAME.exec(path)?.[1] : undefined
  return hash !== undefined && looksRandom(hash)
}

/**
 * Sites keep files of their own in `assets/`, too: `hero-1024x768.png` and `logo-Vacation.png` are names, and would
 * never be updated. A random string changes between small letters, capitals, digits and marks more often.
 */
function looksRandom(hash: string): boolean {
  const classes = hash.replace(/[a-z]/g, 'a').replace(/[A-Z]/g, 'A').replace(/[0-9]/g, '0')
  const changes = [...classes].filter((kind, at) => at > 0 && kind !== classes[at - 1]).length
  return changes >= (classes.includes('A') ? 2 : 3)
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
