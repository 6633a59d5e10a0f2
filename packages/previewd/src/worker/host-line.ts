import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { connect, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { bindSocket } from './bind-socket.ts'

const MAX_CONNECTIONS = 128

/**
 * The host's end of the bridge of a worker that waits: a socket of its own, which leads nowhere until it is known whose
 * rules hold behind it.
 */
export class HostLine {
  readonly socket: string
  readonly #server: Server
  #target: string | undefined

  private constructor(socket: string, server: Server) {
    this.socket = socket
    this.#server = server
    server.maxConnections = MAX_CONNECTIONS
    server.on('connection', (inside) => this.#join(inside))
  }

  static async open(folder: string): Promise<HostLine> {
    const socket = join(folder, `line-${randomBytes(8).toString('hex')}.sock`)
    return new HostLine(socket, await bindSocket(socket))
  }

  /** From now on connections are joined to this socket. */
  leadTo(target: string): void {
    this.#target = target
  }

  async close(): Promise<void> {
    // Connections end with the worker, which is gone, and with what the line leads to.
    this.#server.close()
    await rm(this.socket, { force: true })
  }

  #join(inside: Socket): void {
    if (this.#target === undefined) return void inside.destroy()
    const outside = connect({ path: this.#target, allowHalfOpen: true })
    inside.on('error', () => outside.destroy())
    outside.on('error', () => inside.destroy())
    inside.on('close', () => outside.destroy())
    outside.on('close', () => inside.destroy())
    inside.pipe(outside)
    outside.pipe(inside)
  }
}
