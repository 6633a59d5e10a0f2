import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { type ApiContext, requireProject } from './context.ts'
import { diagnosticsPrompt, rootCauseFirst } from './prompt.ts'
import { diagnostics, status } from './schemas/build.ts'
import { problems, projectParams } from './schemas/common.ts'

const tags = ['Status']

/** How far a project is, and what is wrong with it. */
export function statusRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/v1/projects/:id/status',
      schema: {
        operationId: 'getStatus',
        tags,
        summary: 'The status',
        params: projectParams,
        response: { 200: status, ...problems },
      },
      handler: async (request) => {
        requireProject(context, request.params.id)
        return context.pipeline.status(request.params.id)
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/projects/:id/diagnostics',
      schema: {
        operationId: 'getDiagnostics',
        tags,
        summary: 'What is wrong now, root cause first',
        params: projectParams,
        querystring: z.object({
          format: z.enum(['json', 'prompt']).default('json'),
          maxChars: z.coerce.number().int().min(200).max(100_000).default(8000),
        }),
        response: {
          200: {
            description: 'The diagnostics; text for a model with format=prompt',
            content: {
              'application/json': {
                schema: diagnostics,
              },
              'text/plain': { schema: z.string() },
            },
          },
          ...problems,
        },
      },
      handler: async (request, reply) => {
        requireProject(context, request.params.id)
        const now = context.pipeline.status(request.params.id)
        if (request.query.format === 'prompt') {
          reply.type('text/plain; charset=utf-8')
          return diagnosticsPrompt(now, request.query.maxChars)
        }
        reply.type('application/json; charset=utf-8')
        return { revision: now.revision, state: now.state, diagnostics: rootCauseFirst(now.diagnostics) }
      },
    })
  }
}
