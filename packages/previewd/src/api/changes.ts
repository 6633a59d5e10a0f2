import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { AppliedChanges, ChangeBatch, IncomingFile } from '../model/files.ts'
import { readChanges } from '../sync/read-changes.ts'
import type { ApiContext } from './context.ts'
import { changesAnswer, changesBody, changesQuery } from './schemas/changes.ts'
import { problems, projectParams } from './schemas/common.ts'
import { answerApplied } from './wait.ts'

const tags = ['Files']

/** Files that a client sends. */
export function changesRoute(context: ApiContext): FastifyPluginAsyncZod {
  const { pipeline, config, idempotency, tmpDir } = context

  async function apply(
    request: FastifyRequest,
    reply: FastifyReply,
    id: string,
    startsSession: boolean,
  ): Promise<AppliedChanges> {
    // Where the body is refused half-way, what follows of it is not read.
    reply.header('connection', 'close')
    await using batch = await readChanges(
      { headers: request.headers, body: (request.body ?? request.raw) as Readable },
      { limits: config.limits, tmpDir, query: request.query as Record<string, unknown> },
    )
    reply.removeHeader('connection')
    const asked = () => batchContent(batch)
    return await idempotency.run(request, reply, asked, () =>
      pipeline.applyChanges(id, batch, { startsSession }),
    )
  }

  return async (app) => {
    // The body is read by the route, as it comes: a batch may be larger than memory should hold.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    app.route({
      method: 'POST',
      url: '/v1/projects/:id/changes',
      bodyLimit: config.limits.bodyBytes,
      config: {
        idempotent: true,
        streamedBody: {
          'application/json': changesBody,
          'multipart/form-data': 'A part per file, named by its path; `deleted` and `baseRevision` as fields',
          'application/x-tar': 'A tar archive of the files, plain or with Content-Encoding: gzip',
          'application/gzip': 'A gzipped tar archive of the files',
        },
      },
      schema: {
        operationId: 'applyChanges',
        tags,
        summary: 'Apply one atomic batch of files; creates the project where it does not exist',
        params: projectParams,
        querystring: changesQuery,
        response: { 200: changesAnswer, 202: changesAnswer, ...problems },
      },
      handler: async (request, reply) => {
        const { id } = request.params
        const applied = await apply(request, reply, id, request.query.wait === 'live')
        const { code, answer } = await answerApplied(context, reply, id, applied, request.query)
        return reply.code(code).send(answer)
      },
    })
  }
}

/** What the batch asks for, by content, however it was sent: equal for equal batches. */
function batchContent({ files, deleted, baseRevision, replaceAll }: ChangeBatch) {
  const byPath = (a: string[], b: string[]) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1)
  return {
    files: files.map((file) => [file.path, contentHash(file)]).toSorted(byPath),
    deleted: deleted.toSorted(),
    baseRevision,
    replaceAll,
  }
}

function contentHash(file: IncomingFile): string {
  return 'content' in file ? createHash('sha256').update(file.content).digest('hex') : file.spooled.sha256
}
