import type { IncomingMessage } from 'node:http'

/**
 * True where a page of another origin asks for something that it could use. Vite lets the pages of every name below
 * `localhost` read its modules, and those are other projects here.
 */
export function isOfForeignPage(req: IncomingMessage): boolean {
  const { 'sec-fetch-mode': mode, 'sec-fetch-site': site } = req.headers
  if (mode === 'navigate') return false
  return !isOwnOrigin(req) || site === 'cross-site' || site === 'same-site'
}

/** True where a browser's page of this very origin asks, or a client that is no browser. */
export function isOwnOrigin({ headers: { origin, host } }: IncomingMessage): boolean {
  if (origin === undefined) return true
  const own = host?.toLowerCase()
  return own !== undefined && (origin === `http://${own}` || origin === `https://${own}`)
}
