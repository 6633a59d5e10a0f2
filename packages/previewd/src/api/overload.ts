import type { FastifyInstance } from 'fastify'
import { LRUCache } from 'lru-cache'
import { PreviewdError } from '../errors.ts'

const REQUESTS_IN_FLIGHT = 1000
const CLIENTS_COUNTED = 10_000
const WINDOW_MS = 60_000

/** Refuses what is over the number of requests at once (503) and per minute and client address (429). */
export function registerOverload(app: FastifyInstance, limits: { requestsPerMinute: number }): void {
  let inFlight = 0
  const windows = new LRUCache<string, { startMs: number; count: number }>({ max: CLIENTS_COUNTED })

  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.access === 'open') return
    const now = Date.now()
    let window = windows.get(request.ip)
    if (!window || now - window.startMs >= WINDOW_MS) {
      window = { startMs: now, count: 0 }
      windows.set(request.ip, window)
    }
    window.count += 1
    if (window.count > limits.requestsPerMinute) {
      throw new PreviewdError('RATE_LIMITED', `This server takes ${limits.requestsPerMinute} calls a minute.`)
    }
    if (inFlight >= REQUESTS_IN_FLIGHT) {
      throw new PreviewdError('OVERLOADED', `This server answers ${REQUESTS_IN_FLIGHT} requests at once.`)
    }
    inFlight += 1
    reply.raw.once('close', () => {
      inFlight -= 1
    })
  })
}
