import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createOriginPolicy, type OriginPolicy } from '../access/origin.ts'
import { allows, createAuthenticate, type Principal } from '../access/principal.ts'
import { PreviewdError } from '../errors.ts'
import type { ApiOptions } from './options.ts'

/**
 * Who may call a route. `open`: everyone · `project` (the default): keys that may read or change the project in the
 * path, by method · `any`: every valid key, the route decides further · `server`: keys that may read everything ·
 * `admin`: the operator.
 */
export type RouteAccess = 'open' | 'project' | 'any' | 'server' | 'admin'

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess
    /** Answers to calls under any Host: for load balancers, which call by address. */
    anyHost?: boolean
    /** One of the plan's original calls: problems carry an `error` member too. */
    legacy?: boolean
    /** The code for a body that does not fit the schema. */
    invalidBody?: 'SETTINGS_INVALID'
  }
  interface FastifyRequest {
    /** Null on open routes. */
    principal: Principal | null
  }
}

const PREFLIGHT_HEADERS = {
  'access-control-allow-methods': 'GET, HEAD, POST, PUT, DELETE',
  'access-control-allow-headers':
    'authorization, content-type, idempotency-key, last-event-id, if-none-match',
  'access-control-max-age': '600',
}
const EXPOSED_HEADERS = 'etag, location, retry-after, idempotency-replayed'

/** Checks Host, browser origin and key of every request, WebSocket upgrades included, before a body is read. */
export function registerAuth(app: FastifyInstance, { config, keys }: ApiOptions): void {
  const policy = createOriginPolicy(config)
  const authenticate = createAuthenticate({ apiKey: config.apiKey, keys })
  app.decorateRequest('principal', null)

  app.addHook('onRequest', async (request, reply) => {
    checkHost(policy, request)
    checkBrowser(policy, request, reply)
    if (isPreflight(request)) return reply.code(204).headers(PREFLIGHT_HEADERS).send()
    const access = request.is404 ? 'open' : (request.routeOptions.config.access ?? 'project')
    if (access === 'open') return
    const principal = authenticate(request.headers.authorization)
    if (!principal) {
      throw new PreviewdError('UNAUTHORIZED', 'Send a valid key as "Authorization: Bearer <key>".')
    }
    request.principal = principal
    checkAccess(request, principal, access)
  })
}

function checkHost(policy: OriginPolicy, request: FastifyRequest): void {
  if (request.routeOptions.config.anyHost || policy.allowsHost(request.headers.host)) return
  throw new PreviewdError(
    'HOST_NOT_ALLOWED',
    'Call the API by a loopback name or its public URL, or add the name to PREVIEWD_ALLOWED_HOSTS.',
  )
}

function checkBrowser(policy: OriginPolicy, request: FastifyRequest, reply: FastifyReply): void {
  const { origin, host = '', 'sec-fetch-site': site, 'sec-fetch-mode': mode } = request.headers
  if (origin !== undefined) {
    if (!policy.allowsOrigin(origin, host)) throw foreignPage()
    reply.headers({
      'access-control-allow-origin': origin,
      'access-control-expose-headers': EXPOSED_HEADERS,
      vary: 'Origin',
    })
    return
  }
  // A browser sends no Origin with plain GETs of other sites' pages: <img>, <script>, <iframe>, links.
  const foreign = site === 'cross-site' || site === 'same-site'
  const harmless = mode === 'navigate' && (request.method === 'GET' || request.method === 'HEAD')
  if (foreign && !harmless) throw foreignPage()
}

function foreignPage(): PreviewdError {
  return new PreviewdError(
    'ORIGIN_NOT_ALLOWED',
    'Pages of other origins may not call the API; the operator can name them in PREVIEWD_ALLOWED_ORIGINS.',
  )
}

function isPreflight(request: FastifyRequest): boolean {
  return (
    request.method === 'OPTIONS' &&
    request.headers.origin !== undefined &&
    request.headers['access-control-request-method'] !== undefined
  )
}

function checkAccess(request: FastifyRequest, principal: Principal, access: RouteAccess): void {
  if (access === 'any') return
  if (access === 'admin' && !allows(principal, 'administer')) throw forbidden()
  if (access === 'server' && !allows(principal, 'read')) throw forbidden()
  if (access === 'project') requireAccess(request, (request.params as { id?: string }).id)
}

/** Throws FORBIDDEN unless the caller's key covers the project for this method. */
export function requireAccess({ principal, method }: FastifyRequest, project: string | undefined): void {
  const action = method === 'GET' || method === 'HEAD' ? 'read' : 'write'
  if (!principal || !allows(principal, action, project)) throw forbidden()
}

function forbidden(): PreviewdError {
  return new PreviewdError('FORBIDDEN', 'The key does not allow this call; use one with a wider scope.')
}
