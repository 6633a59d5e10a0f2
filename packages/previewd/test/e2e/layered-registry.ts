import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolveConfig } from '../../src/config.ts'
import { type FixturePackage, startFixtureRegistry } from '../environment/fixture-registry.ts'

/** A registry that has these packages and, for every other name, what the configured registry has. */
export async function startLayeredRegistry(
  packages: FixturePackage[],
): Promise<AsyncDisposable & { url: string }> {
  const fixtures = await startFixtureRegistry({ packages })
  const upstream = resolveConfig({ ...process.env }).registry
  const own = new Set(packages.map(({ name }) => name))
  const server = createServer((request, response) => {
    const name = decodeURIComponent(request.url ?? '').split('/')[1] ?? ''
    const from = own.has(name) ? fixtures : upstream
    relay(request, response, {
      from: from.url,
      to: url,
      token: from === upstream ? upstream.token : undefined,
    }).catch((error: Error) => response.writeHead(502).end(error.message))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeAllConnections()
      await fixtures.close()
    },
  }
}

/** Passes a request on; addresses of tarballs in metadata become addresses here. */
async function relay(
  request: IncomingMessage,
  response: ServerResponse,
  { from, to, token }: { from: string; to: string; token: string | undefined },
): Promise<void> {
  const answer = await fetch(new URL((request.url ?? '/').slice(1), from), {
    headers: {
      accept: request.headers.accept ?? '*/*',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
  })
  const type = answer.headers.get('content-type') ?? 'application/octet-stream'
  const body = type.includes('json')
    ? (await answer.text()).replaceAll(`"${from}`, `"${to}`)
    : Buffer.from(await answer.arrayBuffer())
  response.writeHead(answer.status, { 'content-type': type }).end(body)
}
