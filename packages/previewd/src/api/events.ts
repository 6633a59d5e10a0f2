import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { WebSocket } from 'ws'
import { z } from 'zod'
import { type EventBus, type EventType, LaggedError, type ProjectEvent } from '../model/event.ts'
import { requireAccess } from './auth.ts'
import { type ApiContext, requireProject } from './context.ts'
import { problems, projectId, projectParams } from './schemas/common.ts'
import { EVENT_TYPES, projectEvent } from './schemas/events.ts'
import { type SseMessage, sendEvents } from './sse.ts'
import { untilClosed } from './until-closed.ts'

const MAX_SOCKETS = 1000
/** A socket whose client does not read is ended when this much waits in it. */
const MAX_BUFFERED_BYTES = 1024 * 1024

const eventId = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

const types = z
  .string()
  .transform((list) => list.split(','))
  .pipe(z.array(z.enum(EVENT_TYPES)))
  .optional()
  .meta({ description: `Comma-separated: ${EVENT_TYPES.join(', ')}` })

const eventQuery = z.object({
  after: eventId.optional().meta({ description: 'Replay what is kept of later events; 0 for all of it' }),
  types,
})

const streamAnswer = {
  200: {
    description: 'Server-sent events: `type` is the name of each, `id` its id, `data` its data as JSON',
    content: { 'text/event-stream': { schema: projectEvent } },
  },
  ...problems,
}

/** What happens, as it happens: server-sent events per project, and a WebSocket for one or all. */
export function eventRoutes(context: ApiContext): FastifyPluginAsyncZod {
  const { events, pipeline, closing } = context

  return async (app) => {
    app.route({
      method: 'GET',
      url: '/v1/projects/:id/events',
      config: { stream: true, resumable: true },
      schema: {
        operationId: 'streamProjectEvents',
        tags: ['Events'],
        summary: 'Events of a project (SSE); continues after Last-Event-ID',
        params: projectParams,
        querystring: eventQuery,
        response: streamAnswer,
      },
      handler: async (request, reply) => {
        const { id } = request.params
        requireProject(context, id)
        const wanted = subscription({ ...request.query, project: id }, request, untilClosed(reply, closing))
        const stream = events.subscribe(wanted)
        // Who starts to listen learns where things stand; who comes back gets what was missed.
        const first = wanted.after === undefined ? [{ event: 'status', data: pipeline.status(id) }] : []
        return sendEvents(reply, toMessages(first, stream, request.query.types))
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/events',
      config: { access: 'any', stream: true, resumable: true },
      schema: {
        operationId: 'streamEvents',
        tags: ['Events'],
        summary: 'Events of one project, or of all: over a WebSocket, or as SSE where none is asked for',
        querystring: eventQuery.extend({ project: projectId.optional() }),
        response: streamAnswer,
      },
      preHandler: async (request) => {
        const { project } = request.query
        requireAccess(request, project)
        if (project !== undefined) requireProject(context, project)
      },
      handler: async (request, reply) => {
        const stream = events.subscribe(subscription(request.query, request, untilClosed(reply, closing)))
        return sendEvents(reply, toMessages([], stream, request.query.types))
      },
      wsHandler: (socket, request) => {
        if (app.websocketServer.clients.size > MAX_SOCKETS) return socket.close(1013, 'overloaded')
        const gone = new AbortController()
        socket.once('close', () => gone.abort())
        const query = request.query as z.output<typeof eventQuery>
        const signal = AbortSignal.any([gone.signal, closing])
        return sendToSocket(socket, events.subscribe(subscription(query, request, signal)), query.types)
      },
    })
  }
}

/** `Last-Event-ID`, which a browser sends when it comes back, counts before `after`. */
function subscription(
  query: { project?: string | undefined; after?: number | undefined },
  request: { headers: Record<string, string | string[] | undefined> },
  signal: AbortSignal,
): Parameters<EventBus['subscribe']>[0] {
  const last = eventId.safeParse(request.headers['last-event-id'])
  const after = last.success ? last.data : query.after
  return {
    signal,
    ...(query.project !== undefined && { project: query.project }),
    ...(after !== undefined && { after }),
  }
}

async function* toMessages(
  first: SseMessage[],
  stream: AsyncIterable<ProjectEvent>,
  wanted: readonly EventType[] | undefined,
): AsyncGenerator<SseMessage> {
  yield* first
  try {
    for await (const { id, type, data } of stream) {
      if (!wanted || wanted.includes(type)) yield { event: type, id, data }
    }
  } catch (error) {
    if (!(error instanceof LaggedError)) throw error
    yield { event: 'error', data: { reason: 'lagged', message: error.message } }
  }
}

async function sendToSocket(
  socket: WebSocket,
  stream: AsyncIterable<ProjectEvent>,
  wanted: readonly EventType[] | undefined,
): Promise<void> {
  try {
    for await (const event of stream) {
      if (wanted && !wanted.includes(event.type)) continue
      if (socket.bufferedAmount > MAX_BUFFERED_BYTES) throw new LaggedError()
      socket.send(JSON.stringify(event))
    }
    socket.close(1001, 'closing')
  } catch (error) {
    if (!(error instanceof LaggedError)) throw error
    socket.close(1013, 'lagged')
  }
}
