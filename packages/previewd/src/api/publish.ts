import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { type ApiContext, requireBuild, requireProject } from './context.ts'
import { build, status } from './schemas/build.ts'
import { buildParams, problems } from './schemas/common.ts'

const tags = ['Builds']

/** Which build viewers see, and the end of one that nobody wants. */
export function publishRoutes(context: ApiContext): FastifyPluginAsyncZod {
  const { pipeline, idempotency } = context

  return async (app) => {
    app.route({
      method: 'POST',
      url: '/v1/projects/:id/builds/:buildId/publish',
      config: { idempotent: true },
      schema: {
        operationId: 'publishBuild',
        tags,
        summary: 'Make an earlier good build the one that viewers see',
        params: buildParams,
        response: { 200: status, ...problems },
      },
      handler: async (request, reply) => {
        const { id, buildId } = request.params
        requireProject(context, id)
        requireBuild(context, id, buildId)
        await idempotency.run(
          request,
          reply,
          () => ({}),
          () => pipeline.publish(id, buildId),
        )
        return pipeline.status(id)
      },
    })

    app.route({
      method: 'POST',
      url: '/v1/projects/:id/builds/:buildId/cancel',
      config: { idempotent: true },
      schema: {
        operationId: 'cancelBuild',
        tags,
        summary: 'Stop a build that has not finished',
        params: buildParams,
        response: { 200: build, ...problems },
      },
      handler: async (request, reply) => {
        const { id, buildId } = request.params
        requireProject(context, id)
        requireBuild(context, id, buildId)
        return idempotency.run(
          request,
          reply,
          () => ({}),
          () => pipeline.cancelBuild(id, buildId),
        )
      },
    })
  }
}
