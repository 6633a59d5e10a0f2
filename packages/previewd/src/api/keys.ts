import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { PreviewdError } from '../errors.ts'
import type { ApiContext } from './context.ts'
import { problems, projectId, time } from './schemas/common.ts'

const tags = ['Access']

const scope = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('admin') }),
    z.object({ kind: z.literal('read') }),
    z.object({ kind: z.literal('project'), project: projectId }),
  ])
  .meta({ id: 'KeyScope', description: 'admin: everything · read: all reads · project: all of one project' })

const key = z
  .object({
    id: z.string(),
    name: z.string(),
    scope,
    createdAt: time,
    lastUsedAt: time.exactOptional(),
  })
  .meta({ id: 'ApiKey' })

/** API keys; only their hashes are kept. */
export function keyRoutes({ keys, idempotency }: ApiContext): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'POST',
      url: '/v1/keys',
      config: { idempotent: true, access: 'admin' },
      schema: {
        operationId: 'createKey',
        tags,
        summary: 'Make a key; it is shown this once',
        body: z.object({ name: z.string().min(1).max(100), scope }),
        response: { 201: key.extend({ key: z.string() }).meta({ id: 'NewApiKey' }), ...problems },
      },
      handler: async (request, reply) => {
        const { name, scope } = request.body
        const made = await idempotency.run(
          request,
          reply,
          () => request.body,
          async () => keys.create(name, scope),
        )
        return reply.code(201).send({ ...made.record, key: made.key })
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/keys',
      config: { access: 'admin' },
      schema: {
        operationId: 'listKeys',
        tags,
        summary: 'List the keys',
        response: { 200: z.object({ items: z.array(key), nextCursor: z.null() }), ...problems },
      },
      handler: async () => ({ items: keys.list(), nextCursor: null }),
    })

    app.route({
      method: 'DELETE',
      url: '/v1/keys/:keyId',
      config: { access: 'admin' },
      schema: {
        operationId: 'deleteKey',
        tags,
        summary: 'Delete a key; it stops working at once',
        params: z.object({ keyId: z.string().max(64) }),
        response: { 204: z.undefined().describe('Deleted'), ...problems },
      },
      handler: async (request, reply) => {
        if (!keys.delete(request.params.keyId)) {
          throw new PreviewdError('KEY_NOT_FOUND', 'There is no such key.')
        }
        return reply.code(204).send()
      },
    })
  }
}
