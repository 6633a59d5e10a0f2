import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { toBlockList } from '../lib/public-address.ts'
import type { Egress, EgressGate, EgressPolicy, EgressRefusal } from '../model/egress.ts'
import { addressesOf, chooseAddress, type DestinationRules, RefusedDestination } from './destination.ts'

export interface EgressOptions {
  /** Folder of the sockets; worker uids must be able to enter it. */
  socketDir: string
  /** The most that a project can ask for. */
  maximum: EgressPolicy
  allowedHosts: readonly string[]
  /** Networks that the operator opens although they are not public, in CIDR notation. */
  privateNetworks: readonly string[]
  /** Ports beside 80 and 443. */
  ports?: readonly number[]
  /** Every address of a name; as the machine resolves it by default. */
  resolve?: DestinationRules['resolve']
  /** Bytes to and from other hosts, for each worker. */
  transferBytes?: number
}

const DEFAULT_TRANSFER_BYTES = 1024 * 1024 * 1024
const MAX_CONNECTIONS = 128
const MAX_REFUSALS = 50
const CONNECT_TIMEOUT_MS = 10_000
const IDLE_TIMEOUT_MS = 120_000
const STRICTNESS: Record<EgressPolicy, number> = { none: 0, allowlist: 1, public: 2 }
/** Headers that are between a client and its proxy (RFC 9110, 7.6.1). */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]
/** Tells a refusal of the policy apart from an answer of the other host. */
export const REFUSAL_HEADER = 'x-previewd-egress'

/**
 * The only way out of a sandbox: an HTTP proxy for CONNECT and plain `http://` requests, on a socket for each worker.
 * What is not allowed is refused at once, so that an app does not wait for a time-out.
 */
export function createEgress(options: EgressOptions): Egress {
  const privateNetworks = toBlockList(options.privateNetworks)
  const ports = new Set([80, 443, ...(options.ports ?? [])])
  return {
    async open(asked, onRefusal) {
      const policy = STRICTNESS[asked] < STRICTNESS[options.maximum] ? asked : options.maximum
      const { allowedHosts, resolve = addressesOf } = options
      const rules = { policy, allowedHosts, privateNetworks, ports, resolve }
      const gate = new Gate(rules, options.transferBytes ?? DEFAULT_TRANSFER_BYTES, onRefusal)
      await mkdir(options.socketDir, { recursive: true, mode: 0o711 })
      await gate.listen(join(options.socketDir, `egress-${randomUUID().slice(0, 8)}.sock`))
      return gate
    },
  }
}

class Gate implements EgressGate {
  socket = ''
  readonly #rules: DestinationRules
  readonly #server: Server
  readonly #onRefusal: (refusal: EgressRefusal) => void
  #refusals = 0
  readonly #tunnels = new Set<Duplex>()
  #missingBytes: number

  constructor(rules: DestinationRules, transferBytes: number, onRefusal: (refusal: EgressRefusal) => void) {
    this.#rules = rules
    this.#onRefusal = onRefusal
    this.#missingBytes = transferBytes
    this.#server = createServer((incoming, answer) => void this.#forward(incoming, answer))
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.on('connect', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
      void this.#tunnel(incoming.url ?? '', socket, head)
    })
  }

  async listen(socket: string): Promise<void> {
    this.socket = socket
    this.#server.listen(socket)
    await once(this.#server, 'listening')
    await chmod(socket, 0o666)
  }

  async close(): Promise<void> {
    for (const tunnel of this.#tunnels) tunnel.destroy()
    this.#server.closeAllConnections()
    this.#server.close()
    await rm(this.socket, { force: true })
  }

  async #tunnel(authority: string, inside: Duplex, head: Buffer): Promise<void> {
    this.#tunnels.add(inside)
    inside.once('close', () => this.#tunnels.delete(inside))
    inside.on('error', () => inside.destroy())
    try {
      const { host, port } = parseAuthority(authority)
      const outside = await this.#connect(host, port)
      inside.once('close', () => outside.destroy())
      inside.write('HTTP/1.1 200 Connection established\r\n\r\n')
      outside.write(head)
      for (const end of [inside, outside])
        end.on('data', (bytes: Buffer) => this.#count(bytes.length, inside))
      await Promise.allSettled([pipeline(inside, outside), pipeline(outside, inside)])
    } catch (error) {
      if (!inside.writable) return
      const { status, reason } = this.#explain(error)
      inside.end(
        `HTTP/1.1 ${status} ${status === 403 ? 'Forbidden' : 'Bad Gateway'}\r\n` +
          `${REFUSAL_HEADER}: ${status === 403 ? 'refused' : 'failed'}\r\n` +
          `content-type: text/plain\r\ncontent-length: ${Buffer.byteLength(reason)}\r\nconnection: close\r\n\r\n${reason}`,
      )
    }
  }

  async #forward(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    try {
      const url = new URL(incoming.url ?? '')
      if (url.protocol !== 'http:') throw new RefusedDestination('Only http and https may be used.')
      const port = Number(url.port || 80)
      const headers = { ...incoming.headers, host: url.host }
      for (const name of HOP_BY_HOP) delete headers[name as keyof typeof headers]
      const createConnection = await this.#connect(url.hostname.replace(/^\[|\]$/g, ''), port)
      const outgoing = request({
        method: incoming.method,
        path: `${url.pathname}${url.search}`,
        headers,
        createConnection: () => createConnection,
      })
      // Also of one that has answered: whoever reads the answer learns of it there.
      outgoing.on('error', () => outgoing.destroy())
      answer.once('close', () => outgoing.destroy())
      incoming.once('error', (error) => outgoing.destroy(error)).pipe(outgoing)
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
      answer.writeHead(response.statusCode ?? 502, withoutHopByHop(response.headers))
      response.on('data', (bytes: Buffer) => this.#count(bytes.length, answer))
      await pipeline(response, answer)
    } catch (error) {
      if (answer.headersSent) return void answer.destroy()
      const { status, reason } = this.#explain(error)
      answer.writeHead(status, {
        [REFUSAL_HEADER]: status === 403 ? 'refused' : 'failed',
        'content-type': 'text/plain',
      })
      answer.end(reason)
    }
  }

  async #connect(host: string, port: number): Promise<Socket> {
    let address: string
    try {
      address = await chooseAddress(host, port, this.#rules)
    } catch (error) {
      this.#refuse(host, port, (error as Error).message)
      throw error
    }
    const socket = connect({ host: address, port, timeout: CONNECT_TIMEOUT_MS })
    socket.once('timeout', () => socket.destroy(new Error(`${host} did not answer in time.`)))
    await once(socket, 'connect')
    socket.removeAllListeners('timeout')
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    return socket
  }

  #count(bytes: number, stream: Duplex | ServerResponse): void {
    this.#missingBytes -= bytes
    if (this.#missingBytes < 0) stream.destroy()
  }

  #refuse(host: string, port: number, reason: string): void {
    if (this.#refusals++ < MAX_REFUSALS) this.#onRefusal({ host: host.slice(0, 255), port, reason })
  }

  #explain(error: unknown): { status: 403 | 502; reason: string } {
    if (error instanceof RefusedDestination) return { status: 403, reason: `previewd: ${error.message}\n` }
    return { status: 502, reason: 'previewd: The other host could not be reached.\n' }
  }
}

/** `host:port` of a CONNECT request, IPv6 in brackets. */
function parseAuthority(authority: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_.-]{1,253})):(\d{1,5})$/i.exec(authority)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port < 1 || port > 65_535)
    throw new RefusedDestination('This is not a host and a port.')
  return { host, port }
}

function withoutHopByHop(headers: IncomingMessage['headers']): IncomingMessage['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name)))
}
