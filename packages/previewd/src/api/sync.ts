import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { SyncRequest } from '../model/pipeline.ts'
import { type ApiContext, requireProject } from './context.ts'
import { changesAnswer, type SyncBody, syncBody } from './schemas/changes.ts'
import { problems, projectParams, waitQuery } from './schemas/common.ts'
import { answerApplied } from './wait.ts'

const tags = ['Files']

/** Files that the server fetches from the project's source. */
export function syncRoute(context: ApiContext): FastifyPluginAsyncZod {
  const { pipeline, idempotency } = context
  return async (app) => {
    app.route({
      method: 'POST',
      url: '/v1/projects/:id/sync',
      schema: {
        operationId: 'syncProject',
        tags,
        summary: "Pull from the project's source: the paths that are named, or everything that differs",
        params: projectParams,
        querystring: waitQuery,
        body: syncBody.nullish(),
        response: { 200: changesAnswer, 202: changesAnswer, ...problems },
      },
      handler: async (request, reply) => {
        const { id } = request.params
        requireProject(context, id)
        const asked = toSyncRequest(request.body ?? {})
        const applied = await idempotency.run(
          request,
          reply,
          () => asked,
          () => pipeline.sync(id, asked),
        )
        const { code, answer } = await answerApplied(context, reply, id, applied, request.query)
        return reply.code(code).send(answer)
      },
    })
  }
}

/** The source says whether a path was changed or deleted; without any list, everything is looked at. */
function toSyncRequest({ changedFiles, deleted }: SyncBody): SyncRequest {
  if (changedFiles === undefined && deleted === undefined) return {}
  return { paths: [...(changedFiles ?? []).map(({ path }) => path), ...(deleted ?? [])] }
}
