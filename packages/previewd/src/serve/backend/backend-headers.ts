import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { ProxyRule } from '../../model/proxy-rules.ts'
import { toUpstreamHeaders } from '../upstream/headers.ts'

/** Path that a target puts in front of each request's; '' where it is an origin alone. */
export function basePathOf(target: URL): string {
  return target.pathname.replace(/\/+$/, '')
}

/** The headers with which a back end gets a request. `via` is this server in a `Via` header (RFC 9110, 7.6.3). */
export function toBackendHeaders(
  req: IncomingMessage,
  { target }: ProxyRule,
  options: { isOwnKey: (authorization: string) => boolean; via: string },
): IncomingHttpHeaders {
  const headers = toUpstreamHeaders(req, options.isOwnKey)
  const { remoteAddress } = req.socket
  const before = req.headers['x-forwarded-for']
  if (before !== undefined && remoteAddress !== undefined) {
    headers['x-forwarded-for'] = `${String(before)}, ${remoteAddress}`
  }
  headers.via = [req.headers.via ?? [], `1.1 ${options.via}`].flat().join(', ')
  headers.host = target.host
  // Addresses with a grant are redirected away from, so that only a client of another kind could have come by one.
  if (headers.referer?.includes('previewd_grant=')) delete headers.referer
  return headers
}

/**
 * Rewrites what a back end says about itself into what is so at the preview's origin. Caches that many share must not
 * keep what only those with a grant may see.
 */
export function backendAnswerRewriter(
  req: IncomingMessage,
  { target }: ProxyRule,
  isPrivate: boolean,
): (name: string, value: string) => string {
  const isSecure = keepsSecureCookies(req)
  return (name, value) => {
    if (name === 'cache-control' && isPrivate) return toPrivate(value)
    if (name === 'location' || name === 'content-location') return toOwnLocation(value, target)
    return name === 'set-cookie' ? toOwnCookie(value, basePathOf(target), isSecure) : value
  }
}

function toPrivate(cacheControl: string): string {
  const kept = cacheControl.split(',').map((directive) => directive.trim())
  const isForShared = (directive: string) =>
    /^(?:$|public$|private(?:=|$)|s-maxage=|proxy-revalidate$)/i.test(directive)
  return ['private', ...kept.filter((directive) => !isForShared(directive))].join(', ')
}

/**
 * A back end behind a proxy of its own may take itself for an http one, so that its host decides, and not the protocol.
 * What leads elsewhere stays as it is.
 */
function toOwnLocation(value: string, target: URL): string {
  const isPath = value.startsWith('/') && !/^\/[/\\]/.test(value)
  const isAbsolute = /^(?:https?:)?[/\\]{2}/i.test(value)
  if (!isPath && !isAbsolute) return value
  const url = URL.parse(value, target.origin)
  if (url === null || url.host !== target.host) return value
  const own = withoutBasePath(url.pathname, basePathOf(target))
  if (own === undefined) return value
  // `//host` would be another origin.
  return own.replace(/^\/+/, '/') + url.search + url.hash
}

function withoutBasePath(path: string, basePath: string): string | undefined {
  if (path === basePath) return '/'
  return path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : undefined
}

/** `Domain` is gone already. */
function toOwnCookie(value: string, basePath: string, isSecure: boolean): string {
  const [pair = '', ...attributes] = value.split(';')
  const kept = attributes.flatMap((attribute) => {
    const [name = '', given = ''] = attribute.split('=', 2).map((part) => part.trim())
    const lower = name.toLowerCase()
    if (lower === 'path' && given.startsWith('/')) return ` Path=${withoutBasePath(given, basePath) ?? '/'}`
    // A browser would refuse the cookie whole, and takes `SameSite=None` and `Partitioned` of secure ones alone.
    const needsSecure =
      lower === 'secure' ||
      lower === 'partitioned' ||
      (lower === 'samesite' && given.toLowerCase() === 'none')
    return needsSecure && !isSecure ? [] : attribute
  })
  return [pair, ...kept].join(';')
}

/** Browsers take secure cookies over https, and over http from `localhost` and the names below it. */
function keepsSecureCookies({ headers }: IncomingMessage): boolean {
  const [protocol = 'http'] = String(headers['x-forwarded-proto'] ?? 'http').split(',')
  const name = headers.host?.replace(/:\d*$/, '').toLowerCase() ?? ''
  return protocol.trim() === 'https' || name === 'localhost' || name.endsWith('.localhost')
}
