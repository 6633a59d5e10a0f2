import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { framePolicy } from '../site-profiles.ts'

/** RFC 9110, 7.6.1, and what older proxies and servers take for the same. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/**
 * What no `Connection` header takes away (RFC 9110, 7.6.1): a body that is sent on without its length would be read as
 * the next request of a connection that others use, too.
 */
const OF_THE_REQUEST: ReadonlySet<string> = new Set(['host', 'content-length'])

/** Answers of project code that would reach beyond its own preview. */
const BEYOND_PREVIEW = new Set([
  'service-worker-allowed',
  'clear-site-data',
  'nel',
  'report-to',
  'reporting-endpoints',
  'strict-transport-security',
  'alt-svc',
])

/** Names of the cookies in which grants are kept. */
const OWN_COOKIE = /^__Host-previewd-/i

/**
 * The headers with which project code, or a back end of a project, gets a request: all of the client's but previewd's
 * own cookies and keys and what belongs to the connection.
 */
export function toUpstreamHeaders(
  req: IncomingMessage,
  isOwnKey: (authorization: string) => boolean,
): IncomingHttpHeaders {
  const headers = { ...req.headers }
  // The server in front has answered `Expect` already.
  const dropped = [...HOP_BY_HOP, ...connectionTokens(headers.connection), 'expect']
  for (const name of dropped) if (!OF_THE_REQUEST.has(name)) delete headers[name]
  // The body is framed anew by who sends it on.
  if (req.headers['transfer-encoding'] !== undefined) headers['transfer-encoding'] = 'chunked'
  const cookie = withoutOwnCookies(headers.cookie)
  if (cookie === undefined) delete headers.cookie
  else headers.cookie = cookie
  if (headers.authorization !== undefined && isOwnKey(headers.authorization)) delete headers.authorization
  headers['x-forwarded-for'] ??= req.socket.remoteAddress ?? ''
  headers['x-forwarded-proto'] ??= 'http'
  headers['x-forwarded-host'] ??= headers.host ?? ''
  return headers
}

interface AnswerOptions {
  frameAncestors: readonly string[]
  /** Lower-case names of headers that are not sent on. */
  drop?: readonly string[]
  /** A value as it is sent on, by the lower-case name of its header. */
  rewrite?: (name: string, value: string) => string
}

/** The headers of an answer of project code, name and value by turns, as they may be sent on. */
export function toClientHeaders(raw: readonly string[], options: AnswerOptions): string[] {
  const dropped = new Set([...HOP_BY_HOP, ...BEYOND_PREVIEW, ...(options.drop ?? [])])
  for (const [name, value] of pairs(raw)) {
    if (name.toLowerCase() === 'connection') for (const token of connectionTokens(value)) dropped.add(token)
  }
  const kept: string[] = []
  const names = new Set<string>()
  for (const [name, value] of pairs(raw)) {
    const lower = name.toLowerCase()
    if (dropped.has(lower) || lower.startsWith('x-accel-')) continue
    const sent = lower === 'set-cookie' ? toOwnCookie(value) : value
    if (sent === undefined) continue
    kept.push(name, options.rewrite?.(lower, sent) ?? sent)
    names.add(lower)
  }
  kept.push('X-Robots-Tag', 'noindex')
  if (!names.has('x-content-type-options')) kept.push('X-Content-Type-Options', 'nosniff')
  kept.push(...framePolicy(options.frameAncestors))
  return kept
}

/** `Domain` would give the cookie to the previews of other projects; grants are no business of project code. */
function toOwnCookie(value: string): string | undefined {
  const [pair = '', ...attributes] = value.split(';')
  if (OWN_COOKIE.test(pair.trim())) return undefined
  return [pair, ...attributes.filter((attribute) => !/^\s*domain\s*(?:=|$)/i.test(attribute))].join(';')
}

function withoutOwnCookies(header: string | undefined): string | undefined {
  const kept = header?.split(';').filter((pair) => !OWN_COOKIE.test(pair.trim()))
  return kept === undefined || kept.length === 0 ? undefined : kept.join(';').trim()
}

function connectionTokens(value: string | undefined): string[] {
  return value === undefined ? [] : value.split(',').map((token) => token.trim().toLowerCase())
}

function* pairs(raw: readonly string[]): Generator<[string, string], void, undefined> {
  for (let at = 0; at + 1 < raw.length; at += 2) yield [raw[at] ?? '', raw[at + 1] ?? '']
}
