import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { PreviewdError } from '../errors.ts'
import { type ApiContext, requireProject } from './context.ts'
import { session } from './schemas/build.ts'
import { pageOf, problems, projectParams } from './schemas/common.ts'

const tags = ['Sessions']

/** Live sessions, and what their viewers report. */
export function sessionRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'PUT',
      url: '/v1/projects/:id/session',
      schema: {
        operationId: 'startSession',
        tags,
        summary: 'Start a live session, or keep it alive; 202 while it starts',
        params: projectParams,
        response: { 200: session, 202: session, ...problems },
      },
      handler: async (request, reply) => {
        const view = await context.pipeline.startSession(request.params.id)
        return reply.code(view.state === 'starting' ? 202 : 200).send(view)
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/projects/:id/session',
      schema: {
        operationId: 'getSession',
        tags,
        summary: 'The live session',
        params: projectParams,
        response: { 200: session, ...problems },
      },
      handler: async (request) => {
        requireProject(context, request.params.id)
        return context.pipeline.status(request.params.id).session
      },
    })

    app.route({
      method: 'DELETE',
      url: '/v1/projects/:id/session',
      schema: {
        operationId: 'stopSession',
        tags,
        summary: 'Stop the live session',
        params: projectParams,
        response: { 204: z.undefined().describe('Stopped'), ...problems },
      },
      handler: async (request, reply) => {
        requireProject(context, request.params.id)
        await context.pipeline.stopSession(request.params.id)
        return reply.code(204).send()
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/projects/:id/console',
      schema: {
        operationId: 'getConsole',
        tags,
        summary: 'Newest console, error and network entries of editors (none yet)',
        params: projectParams,
        querystring: z.object({ since: z.string().max(64).optional() }),
        response: { 200: pageOf(z.unknown()), ...problems },
      },
      handler: async (request) => {
        requireProject(context, request.params.id)
        return { items: [], nextCursor: null }
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/projects/:id/screenshot',
      schema: {
        operationId: 'getScreenshot',
        tags,
        summary: 'A picture of the page (not available yet: 501)',
        params: projectParams,
        response: problems,
      },
      handler: async (request) => {
        requireProject(context, request.params.id)
        throw new PreviewdError('NOT_IMPLEMENTED', 'Screenshots are not available on this server.')
      },
    })
  }
}
