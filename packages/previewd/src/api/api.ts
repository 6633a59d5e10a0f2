import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, LogController } from 'fastify'
import { validatorCompiler } from 'fastify-type-provider-zod'
import { Registry } from 'prom-client'
import { PreviewdError } from '../errors.ts'
import { registerAuth } from './auth.ts'
import { buildRoutes } from './builds.ts'
import { changesRoute } from './changes.ts'
import type { ApiContext } from './context.ts'
import { errorsPageRoute } from './errors-page.ts'
import { eventRoutes } from './events.ts'
import { fileRoutes } from './files.ts'
import { grantRoutes } from './grants.ts'
import { Idempotency } from './idempotency.ts'
import { keyRoutes } from './keys.ts'
import { legacyRoutes } from './legacy.ts'
import { logRoutes } from './logs.ts'
import { trackMethods } from './methods.ts'
import { measureRequests, metricsRoute } from './metrics.ts'
import { registerOpenApi } from './openapi.ts'
import { operationRoutes } from './operation.ts'
import type { ApiOptions } from './options.ts'
import { registerOverload } from './overload.ts'
import { pageRoutes } from './page.ts'
import { rawProblem, sendProblem, toPreviewdError } from './problem.ts'
import { projectRoutes } from './projects.ts'
import { publishRoutes } from './publish.ts'
import { sessionRoutes } from './sessions.ts'
import { statusRoutes } from './status.ts'
import { syncRoute } from './sync.ts'

const JSON_BODY_BYTES = 1024 * 1024
/** A file path of 1,024 bytes, each percent-encoded. */
const PATH_PARAM_LENGTH = 3 * 1024
const VERSION = '0.1.0'

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
}

/** The HTTP API, ready to listen; its contract is docs/api.md and, in full, its own /openapi.json. */
export async function createApi(options: ApiOptions): Promise<FastifyInstance> {
  const closing = new AbortController()
  const context: ApiContext = { ...options, idempotency: new Idempotency(), closing: closing.signal }
  const app = createServer(options)
  const registry = new Registry()

  // First: its own hook has to see a request that a later one refuses, or the refused socket stays open.
  await app.register(websocket, {
    options: { maxPayload: 4096, ...(options.upgrades && { server: options.upgrades as never }) },
  })
  app.addHook('preClose', async () => closing.abort())
  app.addHook('onSend', async (_request, reply) => {
    if (closing.signal.aborted) reply.header('connection', 'close')
  })
  app.addHook('onRequest', async (_request, reply) => void reply.headers(SECURITY_HEADERS))
  const refuseOtherMethods = trackMethods(app)
  measureRequests(app, registry)
  registerOverload(app, options.config.limits)
  registerAuth(app, options)
  await registerOpenApi(app, VERSION)

  await app.register(errorsPageRoute())
  await app.register(operationRoutes(context))
  await app.register(metricsRoute(context, registry))
  await app.register(pageRoutes())
  await app.register(projectRoutes(context))
  await app.register(changesRoute(context))
  await app.register(syncRoute(context))
  await app.register(fileRoutes(context))
  await app.register(buildRoutes(context))
  await app.register(publishRoutes(context))
  await app.register(statusRoutes(context))
  await app.register(logRoutes(context))
  await app.register(eventRoutes(context))
  await app.register(sessionRoutes(context))
  await app.register(grantRoutes(context))
  await app.register(keyRoutes(context))
  await app.register(legacyRoutes(context))
  refuseOtherMethods()
  await app.ready()
  return app
}

function createServer({ logger, serverFactory }: ApiOptions): FastifyInstance {
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: JSON_BODY_BYTES,
    // A proxy on this machine names its clients, which are counted one by one.
    trustProxy: 'loopback',
    // Requests on open connections are still answered while the server closes.
    return503OnClosing: false,
    routerOptions: { maxParamLength: PATH_PARAM_LENGTH },
    ...(serverFactory && { serverFactory }),
    frameworkErrors: (error, request, reply) => {
      sendProblem(request, reply.headers(SECURITY_HEADERS), toPreviewdError(error))
    },
    clientErrorHandler: (error, socket) => {
      if (!socket.writable) return socket.destroy()
      const [status, detail] = clientError('code' in error ? String(error.code) : '')
      socket.end(rawProblem('BAD_REQUEST', status, detail))
    },
  })
  app.setValidatorCompiler(validatorCompiler)
  // Types and tests hold answers to their schemas. They are not checked again here: a number that a project's tools made
  // up must not turn its status into an error of the server.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer))
  app.setErrorHandler((error, request, reply) =>
    sendProblem(request, reply, toPreviewdError(error, request.routeOptions.config.invalidBody)),
  )
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      request,
      reply,
      new PreviewdError('NOT_FOUND', 'There is nothing at this address; see /docs.'),
    ),
  )
  acceptOnlyJson(app)
  return app
}

function clientError(code: string): [status: number, detail: string] {
  if (code === 'HPE_HEADER_OVERFLOW') return [431, 'The headers are too large.']
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'The request took too long to arrive.']
  return [400, 'This is not a valid HTTP request.']
}

/** An empty body is no body, also where a client says that it is JSON. */
function acceptOnlyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) return done(null, undefined)
    return parse(request, String(body), done)
  })
}
