import type { IncomingMessage } from 'node:http'
import type { GrantRole, Grants } from '../model/grant.ts'

const PARAMETER = 'previewd_grant'
const MAX_TOKEN_LENGTH = 2048

/** What a request may see of a project, and the token in its address, if there is one. */
export interface Admission {
  role: GrantRole | undefined
  /** In the query: taken out of the address before anything else sees it. */
  offered: { role: GrantRole | undefined; token: string; cleanQuery: string } | undefined
}

/** Looks for a grant in the query and in the cookie of the project. */
export function admission(
  req: IncomingMessage,
  query: string,
  project: string,
  grants: Pick<Grants, 'verify'>,
): Admission {
  const offered = query.includes(PARAMETER) ? offeredGrant(query, project, grants) : undefined
  if (offered?.role !== undefined) return { role: offered.role, offered }
  const token =
    req.headers.cookie === undefined ? undefined : cookieValue(req.headers.cookie, cookieName(project))
  return { role: verify(token, project, grants), offered }
}

/**
 * Set-Cookie value that keeps a grant in the browser, also inside a cross-site frame: only a partitioned,
 * `SameSite=None` cookie survives there. The browser forgets it when it closes; the token itself expires earlier.
 */
export function grantCookie(project: string, token: string): string {
  return `${cookieName(project)}=${token}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned`
}

function cookieName(project: string): string {
  return `__Host-previewd-${project}`
}

function offeredGrant(query: string, project: string, grants: Pick<Grants, 'verify'>): Admission['offered'] {
  const pairs = query.slice(1).split('&')
  const isGrant = (pair: string): boolean => pair.startsWith(`${PARAMETER}=`)
  const token = pairs.find(isGrant)?.slice(PARAMETER.length + 1)
  if (token === undefined) return undefined
  const rest = pairs.filter((pair) => !isGrant(pair)).join('&')
  const role = verify(token, project, grants)
  return { role, token, cleanQuery: rest === '' ? '' : `?${rest}` }
}

function verify(
  token: string | undefined,
  project: string,
  grants: Pick<Grants, 'verify'>,
): GrantRole | undefined {
  // Only what a cookie and a URL carry unescaped; it also ends up in Set-Cookie.
  if (token === undefined || token.length > MAX_TOKEN_LENGTH || !/^[\w.~+/=-]+$/.test(token)) return undefined
  return grants.verify(token, project)?.role
}

function cookieValue(header: string, name: string): string | undefined {
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
  }
  return undefined
}
