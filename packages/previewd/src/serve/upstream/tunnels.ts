import {
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestOptions,
  request as requestHttp,
} from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream'
import { toClientHeaders } from './headers.ts'
import { isUpgradeRefusal, refuseUpgrade, type UpgradeRefusal } from './refuse-upgrade.ts'

const UPGRADE_TIMEOUT_MS = 20_000
/** After such a silence the system asks whether the other end is still there. */
const KEEP_ALIVE_MS = 30_000
const MAX_SOCKETS_PER_PROJECT = 256
/** A client that took nothing between two looks, while something waits for it, is gone. */
const STALL_CHECK_MS = 20_000

/** The other end of a WebSocket. */
export interface TunnelEnd {
  /** Whose it is: the number of WebSockets is limited for each project. */
  project: string
  /** How it is asked; the headers without those of the upgrade itself. */
  asking: RequestOptions | Promise<RequestOptions | undefined>
  /** A header of its answer as the client gets it, by its lower-case name. */
  rewrite?: (name: string, value: string) => string
}

interface Tunnel {
  socket: Duplex
  wasStalled: boolean
}

/**
 * WebSockets between pages and dev servers or back ends. httpxy's own way of doing this sends the headers of the answer
 * on as they are, and leaves the client's socket open where the other one breaks, so it is done here.
 */
export class Tunnels {
  readonly #byProject = new Map<string, Set<Tunnel>>()
  readonly #sweep: NodeJS.Timeout

  constructor() {
    this.#sweep = setInterval(() => this.#endStalled(), STALL_CHECK_MS).unref()
  }

  /** The request was admitted, and is a WebSocket's. */
  open(socket: Duplex, head: Buffer, to: TunnelEnd): 503 | undefined {
    const tunnels = this.#byProject.get(to.project) ?? new Set<Tunnel>()
    if (tunnels.size >= MAX_SOCKETS_PER_PROJECT) return 503
    const tunnel: Tunnel = { socket, wasStalled: false }
    this.#byProject.set(to.project, tunnels.add(tunnel))
    socket.on('close', () => {
      tunnels.delete(tunnel)
      if (tunnels.size === 0) this.#byProject.delete(to.project)
    })
    connectWhenKnown(socket, head, to).catch(() => refuseUpgrade(socket, 502))
    return undefined
  }

  close(): void {
    clearInterval(this.#sweep)
    for (const tunnels of this.#byProject.values()) for (const { socket } of tunnels) socket.destroy()
  }

  #endStalled(): void {
    for (const tunnels of this.#byProject.values()) {
      for (const tunnel of tunnels) {
        const isStalled = tunnel.socket.writableNeedDrain
        if (isStalled && tunnel.wasStalled) tunnel.socket.destroy()
        else if (isStalled) tunnel.socket.once('drain', () => (tunnel.wasStalled = false))
        tunnel.wasStalled = isStalled
      }
    }
  }
}

async function connectWhenKnown(socket: Duplex, head: Buffer, to: TunnelEnd): Promise<void> {
  const options = await to.asking
  if (options === undefined) refuseUpgrade(socket, 404)
  else if (!socket.destroyed) connectTunnel(socket, head, options, to.rewrite)
}

function connectTunnel(
  socket: Duplex,
  head: Buffer,
  options: RequestOptions,
  rewrite: TunnelEnd['rewrite'],
): void {
  const request = options.protocol === 'https:' ? requestHttps : requestHttp
  const asking = request({
    ...options,
    headers: { ...(options.headers as OutgoingHttpHeaders), connection: 'Upgrade', upgrade: 'websocket' },
    timeout: UPGRADE_TIMEOUT_MS,
    agent: false,
  })
  let isOver = false
  const fail = (status: UpgradeRefusal = 502): void => {
    // Its end is an error, too, of a request that is destroyed.
    if (isOver) return
    isOver = true
    asking.destroy()
    refuseUpgrade(socket, status)
  }
  const abandon = (): void => void asking.destroy()
  socket.on('close', abandon)
  asking.on('timeout', () => fail())
  asking.on('error', () => fail())
  // Of what it says instead of the upgrade, a WebSocket client learns the status at most.
  asking.on('response', ({ statusCode }) => fail(isUpgradeRefusal(statusCode) ? statusCode : 502))
  asking.on('upgrade', (answer, upstream, upstreamHead) => {
    socket.off('close', abandon)
    upstream.setTimeout(0)
    upstream.setNoDelay(true)
    upstream.setKeepAlive(true, KEEP_ALIVE_MS)
    const kept = toClientHeaders(answer.rawHeaders, { frameAncestors: [], ...(rewrite && { rewrite }) })
    socket.write(toHead([...kept, 'Connection', 'Upgrade', 'Upgrade', 'websocket']))
    if (upstreamHead.length > 0) socket.write(upstreamHead)
    if (head.length > 0) upstream.write(head)
    // Either end takes the other with it; why is nobody's concern.
    const ended = (): void => {
      socket.destroy()
      upstream.destroy()
    }
    // A write to an end that is gone destroys it at once, and a stream that is destroyed cannot be piped.
    if (socket.destroyed || upstream.destroyed) {
      ended()
      return
    }
    pipeline(upstream, socket, ended)
    pipeline(socket, upstream, ended)
  })
  asking.end()
}

function toHead(headers: readonly string[]): string {
  let text = 'HTTP/1.1 101 Switching Protocols\r\n'
  for (let at = 0; at + 1 < headers.length; at += 2) text += `${headers[at]}: ${headers[at + 1]}\r\n`
  return `${text}\r\n`
}

/** A WebSocket's opening request (RFC 6455, 4.2.1). */
export function isWebSocket({ method, headers }: IncomingMessage): boolean {
  const key = headers['sec-websocket-key']
  return (
    method === 'GET' &&
    headers.upgrade?.toLowerCase() === 'websocket' &&
    key !== undefined &&
    /^[A-Za-z0-9+/]{22}==$/.test(key)
  )
}
