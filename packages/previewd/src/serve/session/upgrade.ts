import { type IncomingMessage, request } from 'node:http'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream'
import { refuseUpgrade } from './refuse-upgrade.ts'
import { toClientHeaders, toUpstreamHeaders } from './upstream-headers.ts'

const UPGRADE_TIMEOUT_MS = 20_000
const MAX_SOCKETS_PER_PROJECT = 256
/** A client that took nothing between two looks, while something waits for it, is gone. */
const STALL_CHECK_MS = 20_000

interface Tunnel {
  socket: Duplex
  wasStalled: boolean
}

/**
 * WebSockets between editors' pages and dev servers. httpxy's own way of doing this sends the headers of the answer on
 * as they are, and leaves the client's socket open where the other one breaks, so it is done here.
 */
export class SessionTunnels {
  readonly #byProject = new Map<string, Set<Tunnel>>()
  readonly #sweep: NodeJS.Timeout

  constructor() {
    this.#sweep = setInterval(() => this.#endStalled(), STALL_CHECK_MS).unref()
  }

  /** The request was admitted, and is a WebSocket's. */
  open(
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    to: { project: string; socketPath: string },
  ): 503 | undefined {
    const tunnels = this.#byProject.get(to.project) ?? new Set<Tunnel>()
    if (tunnels.size >= MAX_SOCKETS_PER_PROJECT) return 503
    const tunnel: Tunnel = { socket, wasStalled: false }
    this.#byProject.set(to.project, tunnels.add(tunnel))
    socket.on('close', () => {
      tunnels.delete(tunnel)
      if (tunnels.size === 0) this.#byProject.delete(to.project)
    })
    connectTunnel(req, socket, head, to.socketPath)
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

function connectTunnel(req: IncomingMessage, socket: Duplex, head: Buffer, socketPath: string): void {
  const headers = { ...toUpstreamHeaders(req), connection: 'Upgrade', upgrade: 'websocket' }
  const asking = request({ socketPath, path: req.url, headers, timeout: UPGRADE_TIMEOUT_MS, agent: false })
  const fail = (): void => {
    asking.destroy()
    refuseUpgrade(socket, 502)
  }
  const abandon = (): void => void asking.destroy()
  socket.on('close', abandon)
  asking.on('timeout', fail)
  asking.on('error', fail)
  // Whatever it says instead of the upgrade, a WebSocket client learns nothing from it.
  asking.on('response', fail)
  asking.on('upgrade', (answer, upstream, upstreamHead) => {
    socket.off('close', abandon)
    upstream.setTimeout(0)
    upstream.setNoDelay(true)
    const kept = toClientHeaders(answer.rawHeaders, { frameAncestors: [] })
    socket.write(toHead([...kept, 'Connection', 'Upgrade', 'Upgrade', 'websocket']))
    if (upstreamHead.length > 0) socket.write(upstreamHead)
    if (head.length > 0) upstream.write(head)
    // Either end takes the other with it; why is nobody's concern.
    const ended = (): void => {
      socket.destroy()
      upstream.destroy()
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
