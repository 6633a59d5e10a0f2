import type { IncomingMessage } from 'node:http'

/**
 * True where a browser would show the answer as a page. Fetch metadata decides where it is sent; it is not on plain
 * http names other than localhost, and then Accept has to do, with which scripts and fetch() ask for any type.
 */
export function isNavigation(req: IncomingMessage): boolean {
  const mode = req.headers['sec-fetch-mode']
  if (mode !== undefined) return mode === 'navigate'
  return req.headers.accept?.includes('text/html') ?? false
}

/** Navigations, and clients other than browsers that take any type: those may get a page for an unknown address. */
export function acceptsPage(req: IncomingMessage): boolean {
  if (req.headers['sec-fetch-mode'] !== undefined) return isNavigation(req)
  const accept = req.headers.accept
  return accept === undefined || accept.includes('text/html') || accept.includes('*/*')
}
