import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { PreviewdError } from '../errors.ts'
import type { ApiContext } from './context.ts'
import { problems } from './schemas/common.ts'

const tags = ['Operation']
const config = { access: 'open', anyHost: true } as const

const READINESS = [
  ['/readyz', 'getReadiness'],
  ['/healthz', 'getHealthz'],
  ['/health', 'getHealth'],
] as const

const readiness = z.object({
  status: z.literal('ready'),
  sandbox: z.object({ tier: z.enum(['full', 'reduced', 'off']), problems: z.array(z.string()) }),
})

/** What a load balancer and a supervisor ask. */
export function operationRoutes({ workers, isDraining }: ApiContext): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/livez',
      config,
      schema: {
        operationId: 'getLiveness',
        tags,
        summary: 'The server answers',
        response: { 200: z.object({ status: z.literal('ok') }) },
      },
      handler: async () => ({ status: 'ok' as const }),
    })

    for (const [url, operationId] of READINESS) {
      app.route({
        method: 'GET',
        url,
        config,
        schema: {
          operationId,
          tags,
          summary: 'The server takes work: it is not draining, and its sandbox is whole',
          response: { 200: readiness, ...problems },
        },
        handler: async () => {
          if (isDraining?.()) throw new PreviewdError('SHUTTING_DOWN', 'The server is draining.')
          const { tier, usable, problems } = await workers.status()
          if (usable) return { status: 'ready' as const, sandbox: { tier, problems } }
          throw new PreviewdError('SANDBOX_UNAVAILABLE', problems.join(' ') || 'The sandbox is not whole.', {
            extra: { sandbox: { tier, problems } },
          })
        },
      })
    }
  }
}
