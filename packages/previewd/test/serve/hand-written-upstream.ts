import { mkdtemp, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'

/** A server in place of a dev server or a back end, which answers as the test likes. */
export class HandWrittenUpstream implements AsyncDisposable {
  readonly socket: string
  /** Requests and upgrades that came. */
  readonly seen: IncomingMessage[] = []
  answer: RequestListener = (_req, res) => res.end('upstream')
  upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void = (_req, socket) => socket.destroy()
  port = 0
  readonly #folder: string
  readonly #server: Server
  readonly #sockets = new Set<Duplex>()

  private constructor(folder: string) {
    this.#folder = folder
    this.socket = join(folder, 'dev.sock')
    this.#server = createServer((req, res) => {
      this.seen.push(req)
      this.answer(req, res)
    })
    this.#server.on('upgrade', (req, socket, head) => {
      this.seen.push(req)
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      this.upgrade(req, socket, head)
    })
  }

  static async start(): Promise<HandWrittenUpstream> {
    const upstream = new HandWrittenUpstream(await mkdtemp(join(tmpdir(), 'upstream-')))
    await new Promise<void>((resolve) => upstream.#server.listen(upstream.socket, resolve))
    return upstream
  }

  /** The same at a port of loopback, as back ends are. */
  static async startAtPort(): Promise<HandWrittenUpstream> {
    const upstream = new HandWrittenUpstream(await mkdtemp(join(tmpdir(), 'upstream-')))
    await new Promise<void>((resolve) => upstream.#server.listen(0, '127.0.0.1', resolve))
    upstream.port = (upstream.#server.address() as AddressInfo).port
    return upstream
  }

  /** Also when it has ended. */
  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    await rm(this.#folder, { recursive: true, force: true })
  }
}
