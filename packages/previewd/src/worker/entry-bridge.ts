import { connect, createServer } from 'node:net'

/** Listens on the sandbox's loopback and joins each connection to a unix socket that the host bound. */
export function startBridge(socket: string, port: number): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (inside) => {
    const outside = connect({ path: socket, allowHalfOpen: true })
    inside.on('error', () => outside.destroy())
    outside.on('error', () => inside.destroy())
    inside.on('close', () => outside.destroy())
    outside.on('close', () => inside.destroy())
    inside.pipe(outside)
    outside.pipe(inside)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve())
  })
}
