import type { FastifyInstance } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client'
import { z } from 'zod'
import type { ApiContext } from './context.ts'
import { problems } from './schemas/common.ts'

const DURATION_BUCKETS_S = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120]

/** Measures every request, by route and never by address, so that the number of series is bounded; logs it at debug. */
export function measureRequests(app: FastifyInstance, registry: Registry): void {
  const durations = new Histogram({
    name: 'previewd_http_request_duration_seconds',
    help: 'API requests',
    labelNames: ['method', 'route', 'status'],
    buckets: DURATION_BUCKETS_S,
    registers: [registry],
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown'
    const { method } = request
    durations.observe({ method, route, status: reply.statusCode }, reply.elapsedTime / 1000)
    const path = request.url.split('?', 1)[0]
    const caller = request.principal?.id
    request.log.debug(
      { method, path, status: reply.statusCode, ms: Math.round(reply.elapsedTime), caller },
      'answered',
    )
  })
}

/** `/metrics` in the Prometheus text format. */
export function metricsRoute(context: ApiContext, registry: Registry): FastifyPluginAsyncZod {
  const { projects, events, pipeline, workers, sourceNotes } = context
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'previewd_projects',
    help: 'Projects on this server',
    registers: [registry],
    collect() {
      this.set(projects.count())
    },
  })
  new Gauge({
    name: 'previewd_unstored_projects',
    help: 'Projects that are written through and have what their source has not yet',
    registers: [registry],
    collect() {
      this.set(sourceNotes.unstored().length)
    },
  })
  new Gauge({
    name: 'previewd_sessions',
    help: 'Live sessions by state',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      for (const [state, count] of Object.entries(pipeline.sessionCounts())) this.set({ state }, count)
    },
  })
  new Gauge({
    name: 'previewd_pool_workers',
    help: 'Workers that wait for their use (ready), and those that are still wanted (due)',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const { waiting, due } = workers.pool()
      this.set({ state: 'ready' }, waiting)
      this.set({ state: 'due' }, due)
    },
  })
  new Counter({
    name: 'previewd_pool_uses_total',
    help: 'Uses for which a worker waited (hit), and those that had to start one (miss)',
    labelNames: ['result'],
    registers: [registry],
    collect() {
      const { hits, misses } = workers.pool()
      this.reset()
      this.inc({ result: 'hit' }, hits)
      this.inc({ result: 'miss' }, misses)
    },
  })
  const published = new Counter({
    name: 'previewd_events_total',
    help: 'Events by type',
    labelNames: ['type'],
    registers: [registry],
  })

  return async (app) => {
    const stop = events.listen(({ type }) => published.inc({ type }))
    app.addHook('onClose', async () => stop())
    app.route({
      method: 'GET',
      url: '/metrics',
      config: { access: 'server' },
      schema: {
        operationId: 'getMetrics',
        tags: ['Operation'],
        summary: 'Metrics for Prometheus',
        response: {
          200: { description: 'Metrics', content: { 'text/plain': { schema: z.string() } } },
          ...problems,
        },
      },
      handler: async (_request, reply) => {
        reply.type(registry.contentType)
        return reply.serializer((text: unknown) => String(text)).send(await registry.metrics())
      },
    })
  }
}
