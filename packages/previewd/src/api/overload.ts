import type { FastifyInstance } from 'fastify'
import { LRUCache } from 'lru-cache'
import { PreviewdError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** May stay open for as long as the client likes; counted apart, so that listeners do not keep others out. */
    stream?: boolean
  }
}

export interface OverloadLimits {
  /** Per client address. */
  requestsPerMinute: number
  requestsAtOnce?: number
  streamsAtOnce?: number
}

const CLIENTS_COUNTED = 10_000
const WINDOW_MS = 60_000

/** Refuses what is over the number of requests at once (503) and per minute and client (429). Open routes are free. */
export function registerOverload(app: FastifyInstance, limits: OverloadLimits): void {
  const { requestsPerMinute, requestsAtOnce = 1000, streamsAtOnce = 1000 } = limits
  const windows = new LRUCache<string, { startMs: number; count: number }>({ max: CLIENTS_COUNTED })
  const requests = { open: 0, limit: requestsAtOnce }
  const streams = { open: 0, limit: streamsAtOnce }

  function countOf(client: string): number {
    const now = Date.now()
    let window = windows.get(client)
    if (!window || now - window.startMs >= WINDOW_MS) {
      window = { startMs: now, count: 0 }
      windows.set(client, window)
    }
    window.count += 1
    return window.count
  }

  app.addHook('onRequest', async (request, reply) => {
    const { access, stream } = request.routeOptions.config
    if (access === 'open') return
    if (countOf(request.ip) > requestsPerMinute) {
      throw new PreviewdError('RATE_LIMITED', `This server takes ${requestsPerMinute} calls a minute.`)
    }
    const gate = stream ? streams : requests
    if (gate.open >= gate.limit) {
      throw new PreviewdError('OVERLOADED', `This server answers ${gate.limit} such calls at once.`)
    }
    gate.open += 1
    reply.raw.once('close', () => {
      gate.open -= 1
    })
  })
}
