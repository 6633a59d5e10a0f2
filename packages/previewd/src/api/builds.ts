import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { type ApiContext, requireBuild, requireProject } from './context.ts'
import { build, status } from './schemas/build.ts'
import { buildParams, pageOf, pageQuery, problems, projectParams, waitQuery } from './schemas/common.ts'
import { waitForRevision } from './wait.ts'

const tags = ['Builds']

const buildAnswer = build
  .extend({
    status: status.exactOptional().meta({ description: 'With `wait`' }),
    painted: z.null().exactOptional(),
    reason: z.enum(['no_viewer', 'no_session']).exactOptional(),
  })
  .meta({ id: 'BuildAnswer' })

/** Runs that make artifacts. */
export function buildRoutes(context: ApiContext): FastifyPluginAsyncZod {
  const { pipeline, builds, idempotency } = context

  return async (app) => {
    app.route({
      method: 'POST',
      url: '/v1/projects/:id/builds',
      config: { idempotent: true },
      schema: {
        operationId: 'createBuild',
        tags,
        summary: 'Build the current revision, or join the build of it that is under way',
        params: projectParams,
        querystring: waitQuery,
        body: z.object({ force: z.boolean().exactOptional() }).nullish(),
        response: { 200: buildAnswer, 202: buildAnswer, ...problems },
      },
      handler: async (request, reply) => {
        const { id } = request.params
        requireProject(context, id)
        const { force = false } = request.body ?? {}
        const queued = await idempotency.run(
          request,
          reply,
          () => ({ force }),
          () => pipeline.requestBuild(id, { force }),
        )
        reply.header('location', `/v1/projects/${id}/builds/${queued.id}`)
        if (request.query.wait === undefined) return reply.code(202).send(queued)
        const { code, status, reason } = await waitForRevision(context, reply, {
          project: id,
          revision: queued.revision,
          ...request.query,
        })
        const now = builds.get(id, queued.id) ?? queued
        return reply.code(code).send({
          ...now,
          status,
          ...(reason === 'no_viewer' && { painted: null }),
          ...(reason && { reason }),
        })
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/projects/:id/builds',
      schema: {
        operationId: 'listBuilds',
        tags,
        summary: 'Builds, newest first',
        params: projectParams,
        querystring: pageQuery,
        response: { 200: pageOf(build).meta({ id: 'BuildPage' }), ...problems },
      },
      handler: async (request) => {
        requireProject(context, request.params.id)
        const { limit, cursor } = request.query
        return builds.list(request.params.id, { limit, ...(cursor !== undefined && { cursor }) })
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/projects/:id/builds/:buildId',
      schema: {
        operationId: 'getBuild',
        tags,
        summary: 'One build',
        params: buildParams,
        response: { 200: build, ...problems },
      },
      handler: async (request) => {
        requireProject(context, request.params.id)
        return requireBuild(context, request.params.id, request.params.buildId)
      },
    })
  }
}
