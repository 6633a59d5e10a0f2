import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Undefined: the connection is cut without an answer. */
export type Answer = { status: number; headers?: Record<string, string>; body?: unknown } | undefined

/** A server on a free port of loopback that answers as told. */
export async function answering(
  answer: (request: IncomingMessage) => Answer | Promise<Answer>,
): Promise<AsyncDisposable & { url: string }> {
  const server = createServer(async (request, response) => {
    const told = await answer(request)
    if (!told) return request.socket.destroy()
    const { status, headers = { 'content-type': 'application/json' }, body } = told
    const content = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
    response.writeHead(status, headers).end(content)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
