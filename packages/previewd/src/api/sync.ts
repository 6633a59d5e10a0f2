import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { PreviewdError } from '../errors.ts'
import { type ApiContext, requireProject } from './context.ts'
import { changesAnswer, syncBody } from './schemas/changes.ts'
import { problems, projectParams, waitQuery } from './schemas/common.ts'

const tags = ['Files']

/** Files that the server fetches from the project's source. */
export function syncRoute(context: ApiContext): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'POST',
      url: '/v1/projects/:id/sync',
      schema: {
        operationId: 'syncProject',
        tags,
        summary: "Pull from the project's source",
        params: projectParams,
        querystring: waitQuery,
        body: syncBody.nullish(),
        response: { 200: changesAnswer, 202: changesAnswer, ...problems },
      },
      handler: async (request) => {
        const { source } = requireProject(context, request.params.id).settings
        throw new PreviewdError(
          'SOURCE_NOT_SUPPORTED',
          source.kind === 'push'
            ? 'The files of this project are pushed: send them to /changes.'
            : `This server has no ${source.kind} sources.`,
        )
      },
    })
  }
}
