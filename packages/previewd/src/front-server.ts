import type { EventEmitter } from 'node:events'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Gateway } from './serve/gateway.ts'

const SERVER_OPTIONS = {
  // Node's own defaults let a slow client hold a connection for five minutes.
  headersTimeout: 20_000,
  requestTimeout: 300_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 32 * 1024,
  // Some clients (Java's, curl --http2) offer HTTP/2 with each request: that offer is to be ignored, not refused.
  shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket',
}
const IDLE_CHECK_MS = 50
/** A request may be on its way over a connection that was opened just now. */
const FIRST_REQUEST_MS = 250

export interface FrontServerOptions {
  gateway: Gateway
  api: RequestListener
  /** Gets the WebSocket requests that are the API's. */
  upgrades: EventEmitter
  isDraining: () => boolean
}

/** The one listener of the server: previews go to the gateway, everything else to the API. */
export function createFrontServer({ gateway, api, upgrades, isDraining }: FrontServerOptions): Server {
  const server = createClosableServer((request, response) => {
    // A client that is told so does not send its next request into a connection that is about to be closed.
    if (isDraining()) response.shouldKeepAlive = false
    if (gateway.matches(request)) gateway.handle(request, response)
    else api(request, response)
  })
  server.on('upgrade', (request, socket, head) => {
    if (gateway.matches(request)) gateway.handleUpgrade(request, socket, head)
    else upgrades.emit('upgrade', request, socket, head)
  })
  return server
}

/** The listener of its own that same-origin path mode has; the API is not on it. */
export async function listenForPaths(
  gateway: Gateway,
  config: { host: string; pathPort: number },
): Promise<{ port: number; close(): Promise<void> }> {
  const server = createClosableServer((request, response) => gateway.handleOnPathListener(request, response))
  server.on('upgrade', (request, socket, head) => gateway.handleUpgrade(request, socket, head))
  server.listen(config.pathPort, config.host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      closeWithConnections(server, async () => {
        const closed = once(server, 'close')
        server.close()
        await closed
      }),
  }
}

/**
 * Browsers and clients open connections ahead of their next request. To Node one that has not asked anything yet is
 * not idle, and would hold a server that closes open for as long as the client likes.
 */
function createClosableServer(answer: RequestListener): Server {
  const server = createServer(SERVER_OPTIONS, answer)
  const openedMs = new Map<Socket, number>()
  server.on('connection', (socket) => {
    openedMs.set(socket, performance.now())
    socket.once('close', () => openedMs.delete(socket))
  })
  const closeIdle = server.closeIdleConnections.bind(server)
  server.closeIdleConnections = () => {
    closeIdle()
    const latestMs = performance.now() - FIRST_REQUEST_MS
    for (const [socket, ms] of openedMs) if (socket.bytesRead === 0 && ms <= latestMs) socket.destroy()
  }
  return server
}

/**
 * Closes a server by `close`, and each connection as soon as it is idle: one that was busy when closing began would be
 * kept alive, and the server with it.
 */
export async function closeWithConnections(server: Server, close: () => Promise<void>): Promise<void> {
  const timer = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS)
  try {
    await close()
  } finally {
    clearInterval(timer)
  }
}
