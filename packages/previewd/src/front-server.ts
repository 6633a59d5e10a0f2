import type { EventEmitter } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { Gateway } from './serve/gateway.ts'

/** Node's own defaults let a slow client hold a connection for five minutes. */
const LIMITS = {
  headersTimeout: 20_000,
  requestTimeout: 300_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 32 * 1024,
}

/**
 * The one listener of the server: previews go to the gateway, everything else to the API. `upgrades` gets the
 * WebSocket requests that are the API's.
 */
export function createFrontServer(gateway: Gateway, api: RequestListener, upgrades: EventEmitter): Server {
  const server = createServer(LIMITS, (request, response) => {
    if (gateway.matches(request)) gateway.handle(request, response)
    else api(request, response)
  })
  server.on('upgrade', (request, socket, head) => {
    if (gateway.matches(request)) gateway.handleUpgrade(request, socket, head)
    else upgrades.emit('upgrade', request, socket, head)
  })
  return server
}
