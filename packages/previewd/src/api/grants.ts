import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { MAX_GRANT_SECONDS } from '../access/grants.ts'
import { type ApiContext, requireProject } from './context.ts'
import { problems, projectParams, time } from './schemas/common.ts'

const tags = ['Access']

const grantInput = z
  .object({
    role: z.enum(['editor', 'viewer']),
    expiresInSeconds: z.number().int().min(1).max(MAX_GRANT_SECONDS).default(3600),
  })
  .meta({ id: 'NewGrant' })

const grant = z
  .object({
    token: z.string(),
    url: z.string().meta({ description: 'The preview, with the token: good for an iframe' }),
    expiresAt: time,
  })
  .meta({ id: 'Grant' })

/** Links that let a browser see a private preview, or a live session. */
export function grantRoutes(context: ApiContext): FastifyPluginAsyncZod {
  const { grants, pipeline, idempotency } = context

  return async (app) => {
    app.route({
      method: 'POST',
      url: '/v1/projects/:id/grants',
      config: { idempotent: true },
      schema: {
        operationId: 'createGrant',
        tags,
        summary: 'Issue a grant',
        params: projectParams,
        body: grantInput,
        response: { 201: grant, ...problems },
      },
      handler: async (request, reply) => {
        const { id } = request.params
        requireProject(context, id)
        const { role, expiresInSeconds } = request.body
        const { token, expiresAt } = await idempotency.run(
          request,
          reply,
          () => request.body,
          async () => grants.issue(id, role, expiresInSeconds),
        )
        const url = new URL(pipeline.status(id).urls.preview)
        url.searchParams.set('previewd_grant', token)
        return reply.code(201).send({ token, url: url.href, expiresAt })
      },
    })

    app.route({
      method: 'DELETE',
      url: '/v1/projects/:id/grants',
      schema: {
        operationId: 'revokeGrants',
        tags,
        summary: 'Revoke every grant of the project',
        params: projectParams,
        response: { 204: z.undefined().describe('Revoked'), ...problems },
      },
      handler: async (request, reply) => {
        requireProject(context, request.params.id)
        grants.revokeAll(request.params.id)
        return reply.code(204).send()
      },
    })
  }
}
