import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ApiContext } from './context.ts'
export function pageRoutes(_context: ApiContext): FastifyPluginAsyncZod {
  return async () => undefined
}
