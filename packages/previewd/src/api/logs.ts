import { Readable } from 'node:stream'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { toPlainText } from '../lib/plain-text.ts'
import type { BuildLog } from '../model/pipeline.ts'
import { type ApiContext, requireBuild, requireProject } from './context.ts'
import { flag, problems, projectParams } from './schemas/common.ts'
import { log, logEvent, type logLine } from './schemas/events.ts'
import { type SseMessage, sendEvents } from './sse.ts'
import { untilClosed } from './until-closed.ts'

/** What the toolchain wrote, as text, as JSON, or as it comes. */
export function logRoutes(context: ApiContext): FastifyPluginAsyncZod {
  const { pipeline, builds, closing } = context

  return async (app) => {
    app.route({
      method: 'GET',
      url: '/v1/projects/:id/logs',
      config: { stream: true, resumable: true },
      schema: {
        operationId: 'getLogs',
        tags: ['Builds'],
        summary:
          'The log of the newest build, or of one; with follow, as server-sent events until the build ends',
        params: projectParams,
        querystring: z.object({
          build: z.string().optional(),
          format: z.enum(['text', 'json']).default('text'),
          follow: flag,
        }),
        response: {
          200: {
            description: 'The log',
            content: {
              'text/plain': { schema: z.unknown() },
              'application/json': {
                schema: log,
              },
              'text/event-stream': { schema: logEvent },
            },
          },
          ...problems,
        },
      },
      handler: async (request, reply) => {
        const { id } = request.params
        const { build, format, follow } = request.query
        requireProject(context, id)
        const buildId = build === undefined ? builds.newest(id)?.id : requireBuild(context, id, build).id
        const signal = untilClosed(reply, closing)
        const log = buildId === undefined ? undefined : await pipeline.log(id, { buildId, follow, signal })
        if (follow) {
          const seen = Number(request.headers['last-event-id'] ?? 0)
          return sendEvents(
            reply,
            followMessages(log, () => buildId && builds.get(id, buildId)?.state, seen),
          )
        }
        if (format === 'json') {
          reply.type('application/json; charset=utf-8')
          const lines = await plainLines(log)
          return { build: buildId ?? null, lines }
        }
        reply.type('text/plain; charset=utf-8')
        return reply.send(logText(log))
      },
    })
  }
}

/** The log of a build as a stream of plain text; empty where there was no build yet. */
export function logText(log: BuildLog | undefined): Readable {
  return Readable.from(textLines(log), { objectMode: false })
}

async function* textLines(log: BuildLog | undefined): AsyncGenerator<string> {
  if (!log) return
  for await (const line of log.lines) yield `${toPlainText(line.text)}\n`
}

async function plainLines(log: BuildLog | undefined): Promise<z.output<typeof logLine>[]> {
  const lines: z.output<typeof logLine>[] = []
  if (log) for await (const line of log.lines) lines.push(plainLine(line))
  return lines
}

function plainLine({ at, stream, text }: z.output<typeof logLine>): z.output<typeof logLine> {
  return { at, stream, text: toPlainText(text) }
}

/** Each line is numbered, so that a client that comes back continues where it was. */
async function* followMessages(
  log: BuildLog | undefined,
  state: () => string | undefined,
  seen: number,
): AsyncGenerator<SseMessage> {
  let id = 0
  if (log) {
    for await (const line of log.lines) {
      id += 1
      if (id > seen) yield { event: 'log', id, data: plainLine(line) }
    }
  }
  yield { event: 'end', data: { build: log?.buildId ?? null, state: state() ?? null } }
}
