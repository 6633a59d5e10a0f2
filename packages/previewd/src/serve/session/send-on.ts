import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import type { ProxyServer } from 'httpxy'
import { isRepeatable, isStale } from '../upstream/repeatable.ts'

/** Sends a request on; once more, over a connection of its own, where the kept one was closed just then. */
export async function sendOn(proxy: ProxyServer, req: IncomingMessage, res: ServerResponse): Promise<void> {
  let asking: ClientRequest | undefined
  proxy.once('proxyReq', (request) => {
    asking = request
  })
  try {
    await proxy.web(req, res)
  } catch (error) {
    const mayRepeat = isRepeatable(req) && isStale(asking, error) && !res.headersSent && !res.destroyed
    if (!mayRepeat) throw error
    await proxy.web(req, res, { agent: false })
  }
}
