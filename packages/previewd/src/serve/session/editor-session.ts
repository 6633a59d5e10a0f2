import type { IncomingMessage } from 'node:http'
import type { Project } from '../../model/project.ts'
import type { GatewayOptions } from '../gateway-options.ts'
import { admission } from '../grant-cookie.ts'
import { isNavigation } from '../navigation.ts'
import { decodePath, splitTarget } from '../request-path.ts'
import type { SessionAddress } from './proxy.ts'

type EditorOptions = Pick<GatewayOptions, 'grants' | 'isEditor' | 'sessions'>

export function isEditorOf(
  req: IncomingMessage,
  project: Project,
  query: string,
  options: Pick<GatewayOptions, 'grants' | 'isEditor'>,
): boolean {
  return admission(req, query, project.id, options.grants).role === 'editor' || options.isEditor(req)
}

/**
 * The session that answers a request in place of the published build: one is live and an editor asks, for something
 * that is the app's. `url` is the address as project code may see it.
 */
export function sessionFor(
  req: IncomingMessage,
  project: Project,
  options: EditorOptions,
): (SessionAddress & { url: string }) | undefined {
  if (options.sessions === undefined) return undefined
  const { rawPath, query } = splitTarget(req.url ?? '')
  // Project code decodes as it likes; what is ours is so in every spelling.
  const path = decodePath(rawPath) ?? rawPath
  if (!rawPath.startsWith('/') || /^\/+\.previewd(?:\/|$)/i.test(path)) return undefined
  if (req.headers['service-worker'] !== undefined || isOfForeignPage(req)) return undefined
  const { role, offered } = admission(req, query, project.id, options.grants)
  if (role !== 'editor' && !options.isEditor(req)) return undefined
  // The grant leaves the address first.
  if (offered !== undefined && isNavigation(req)) return undefined
  const address = options.sessions.address(project.id)
  return address && { ...address, url: rawPath + (offered?.cleanQuery ?? query) }
}

/**
 * True where a page of another origin asks for something that it could use. Vite lets the pages of every name below
 * `localhost` read its modules, and those are other projects here.
 */
function isOfForeignPage(req: IncomingMessage): boolean {
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

/** A WebSocket's opening request (RFC 6455, 4.2.1). */
export function isWebSocket({ method, headers }: IncomingMessage): boolean {
  const key = headers['sec-websocket-key']
  return (
    method === 'GET' &&
    headers.upgrade?.toLowerCase() === 'websocket' &&
    key !== undefined &&
    /^[A-Za-z0-9+/]{22}==$/.test(key)
  )
}
