import { once } from 'node:events'
import { request } from 'node:http'

/** Asks the dev server of a session itself, past the gateway. */
export async function askDevServer(
  socketPath: string,
  path: string,
): Promise<{ status: number; text: string }> {
  const asked = request({ socketPath, path, headers: { host: 'demo.example.org' } }).end()
  const [answer] = await once(asked, 'response')
  const text = (await Array.fromAsync(answer as AsyncIterable<Buffer>)).join('')
  return { status: answer.statusCode, text }
}
