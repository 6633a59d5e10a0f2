import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { WebSocket } from 'ws'
import { z } from 'zod'
import { type EventType, LaggedError, type ProjectEvent } from '../model/event.ts'
import { requireAccess } from './auth.ts'
import { type ApiContext, requireProject } from './context.ts'
import { problems, projectId, projectParams } from './schemas/common.ts'
import { type SseMessage, sendEvents } from './sse.ts'
import { untilClosed } from './until-closed.ts'

const EVENT_TYPES = ['status', 'revision', 'build', 'session', 'log', 'diagnostic', 'console'] as const
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

/** What happens, as it happens: server-sent events per project, and a WebSocket for one or all. */
export function eventRoutes(context: ApiContext): FastifyPluginAsyncZod {
  const { events, pipeline, closing } = context

  return async (app) => {
    app.route({
      method: 'GET',
      url: '/v1/projects/:id/events',
      schema: {
        tags: ['Events'],
        summary: 'Events of a project (SSE); continues after Last-Event-ID',
        params: projectParams,
        querystring: eventQuery,
        response: {
          200: { description: 'The stream', content: { 'text/event-stream': { schema: z.unknown() } } },
          ...problems,
        },
      },
      handler: async (request, reply) => {
        const { id } = request.params
        requireProject(context, id)
        const last = eventId.safeParse(request.headers['last-event-id'])
        const after = last.success ? last.data : request.query.after
        const stream = events.subscribe({
          project: id,
          signal: untilClosed(reply, closing),
          ...(after !== undefined && { after }),
        })
        // Who starts to listen learns where things stand; who comes back gets what was missed.
        const first = after === undefined ? [{ event: 'status', data: pipeline.status(id) }] : []
        return sendEvents(reply, toMessages(first, stream, request.query.types))
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/events',
      config: { access: 'any' },
      schema: {
        tags: ['Events'],
        summary: 'Events of one project, or of all, over a WebSocket',
        querystring: eventQuery.extend({ project: projectId.optional() }),
      },
      preValidation: async (request) => {
        const { project } = request.query as { project?: string }
        requireAccess(request, project)
        if (project !== undefined) requireProject(context, project)
      },
      handler: async (_request, reply) => {
        reply.header('upgrade', 'websocket').header('connection', 'Upgrade')
        return reply.code(426).send()
      },
      wsHandler: (socket, request) => {
        const { project, after, types: wanted } = request.query as SocketQuery
        if (app.websocketServer.clients.size > MAX_SOCKETS) return socket.close(1013, 'overloaded')
        const gone = new AbortController()
        socket.once('close', () => gone.abort())
        const stream = events.subscribe({
          signal: AbortSignal.any([gone.signal, closing]),
          ...(project !== undefined && { project }),
          ...(after !== undefined && { after }),
        })
        return sendToSocket(socket, stream, wanted)
      },
    })
  }
}

interface SocketQuery {
  project?: string
  after?: number
  types?: EventType[]
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
