import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { PreviewdError } from '../errors.ts'
import { type ApiContext, requireProject } from './context.ts'
import { pageOf, problems, projectParams } from './schemas/common.ts'

const tags = ['Sessions']

/** Live sessions and what their viewers report: the addresses are there, the sessions are not yet. */
export function sessionRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'PUT',
      url: '/v1/projects/:id/session',
      schema: {
        tags,
        summary: 'Start or keep alive a live session (not available yet: 501)',
        params: projectParams,
        response: problems,
      },
      handler: async (request) => {
        requireProject(context, request.params.id)
        throw new PreviewdError('NOT_IMPLEMENTED', 'Live sessions are not available on this server.')
      },
    })

    app.route({
      method: 'DELETE',
      url: '/v1/projects/:id/session',
      schema: {
        tags,
        summary: 'Stop the live session',
        params: projectParams,
        response: { 204: z.undefined().describe('Stopped'), ...problems },
      },
      handler: async (request) => {
        requireProject(context, request.params.id)
        throw new PreviewdError('SESSION_NOT_FOUND', 'The project has no live session.')
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/projects/:id/console',
      schema: {
        tags,
        summary: 'Newest console, error and network entries of editors (none without sessions)',
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
