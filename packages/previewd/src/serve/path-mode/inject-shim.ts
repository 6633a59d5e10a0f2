/** Comments are matched so that a tag inside one is passed over. */
const LANDMARK = /<!--[\s\S]*?-->|<!doctype[^>]*>|<html(?:\s[^>]*)?>|<head(?:\s[^>]*)?>|<[a-z]/gi

/** Puts a script in front of everything that a page loads: first in its head, or where the head would begin. */
export function injectShim(html: string, script: string): string {
  const at = placeOf(html)
  return html.slice(0, at) + script + html.slice(at)
}

function placeOf(html: string): number {
  let place = 0
  for (const match of html.matchAll(LANDMARK)) {
    const tag = match[0].toLowerCase()
    if (tag.startsWith('<!--')) continue
    const isOpening = tag.startsWith('<!doctype') || tag.startsWith('<html') || tag.startsWith('<head')
    if (!isOpening) return place
    place = match.index + tag.length
    if (tag.startsWith('<head')) return place
  }
  return place
}

/** Attributes whose address begins at the root, as authors of plain pages write them. */
const ROOT_ADDRESS = /(\s(?:src|href|poster|action)\s*=\s*["']?)(\/(?!\/)[^"'\s>]*)/gi

/** Leads addresses of the root to below the prefix; what a bundler wrote with the prefix stays. */
export function addPrefix(html: string, prefix: string): string {
  return html.replace(ROOT_ADDRESS, (all, attribute: string, address: string) =>
    address === prefix || address.startsWith(`${prefix}/`) ? all : `${attribute}${prefix}${address}`,
  )
}
