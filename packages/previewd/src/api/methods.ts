import type { FastifyInstance, HTTPMethods } from 'fastify'
import { PreviewdError } from '../errors.ts'
import { sendProblem } from './problem.ts'

const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/**
 * Answers 405 with `Allow` for the methods that an address does not have. Call it before the routes are registered,
 * and the function it returns after them.
 */
export function trackMethods(app: FastifyInstance): () => void {
  const urls = new Set<string>()
  app.addHook('onRoute', ({ url }) => void urls.add(url))

  return () => {
    for (const url of [...urls]) {
      const missing = METHODS.filter((method) => !app.hasRoute({ url, method }))
      const allow = [...METHODS.filter((method) => !missing.includes(method)), 'OPTIONS'].join(', ')
      app.route({
        url,
        method: missing,
        config: { access: 'open' },
        schema: { hide: true },
        // Before the body is read: its content type and form do not matter.
        onRequest: async (request, reply) => {
          reply.header('allow', allow)
          if (request.method === 'OPTIONS') return reply.code(204).send()
          return sendProblem(
            request,
            reply,
            new PreviewdError('METHOD_NOT_ALLOWED', `This address answers to ${allow}.`),
          )
        },
        handler: () => undefined,
      })
    }
  }
}
