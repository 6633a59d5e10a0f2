import { once } from 'node:events'
import { chmod, mkdir, rename, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { dirname } from 'node:path'

/**
 * A listening unix socket to be handed to a child, which accepts at it; the host closes its own end then. Closing
 * removes the name that the socket was bound to, so it is renamed: the name stays until its owner removes it.
 */
export async function bindSocket(path: string): Promise<Server> {
  await mkdir(dirname(path), { recursive: true, mode: 0o711 })
  await rm(path, { force: true })
  const server = createServer({ allowHalfOpen: true })
  server.listen(`${path}.new`)
  await once(server, 'listening')
  await rename(`${path}.new`, path)
  await chmod(path, 0o600)
  return server
}
