import { once } from 'node:events'
import { request } from 'node:http'

/** Asks the dev server of a session itself, past the gateway. */
export async function askDevServer(
  socketPath: string,
  path: string,
  accept?: string,
): Promise<{ status: number; text: string }> {
  // Over a connection of its own: a kept one may be of a server that has restarted in its place.
  const headers = { host: 'demo.example.org', ...(accept !== undefined && { accept }) }
  const asked = request({ socketPath, path, agent: false, headers }).end()
  const [answer] = await once(asked, 'response')
  const text = (await Array.fromAsync(answer as AsyncIterable<Buffer>)).join('')
  return { status: answer.statusCode, text }
}
