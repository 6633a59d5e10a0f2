import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Passing {
  method: string
  url: string
  /** One object's content, not a listing. */
  isDownload: boolean
  isListing: boolean
}

/**
 * What becomes of a request: it goes on, it is answered with a status, it is sent elsewhere, it is never answered, or its
 * answer ends (or falls silent) in the middle.
 */
export type Fate = 'pass' | 'hang' | 'half' | 'stall' | number | { location: string }

export interface FaultProxy extends AsyncDisposable {
  /** Without a slash at its end. */
  url: string
  requests: Passing[]
  /** Decides on each request; passes all by default. May wait. */
  decide: (request: Passing) => Fate | Promise<Fate>
  /** Forgets what was counted and lets everything pass. */
  reset(): void
}

/** Stands in front of an object store and makes it fail as real ones do. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const pass = (): Fate => 'pass'
  const server = createServer(async (incoming, answer) => {
    const passing = describe(incoming)
    proxy.requests.push(passing)
    const fate = await proxy.decide(passing)
    if (fate === 'hang') return
    if (typeof fate === 'number') {
      answer.writeHead(fate, { 'retry-after': '0' }).end()
      return
    }
    if (typeof fate === 'object') answer.writeHead(307, fate).end()
    else forward(incoming, answer, target, fate)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: FaultProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    decide: pass,
    reset() {
      proxy.requests = []
      proxy.decide = pass
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
  return proxy
}

function describe({ method = '', url = '' }: IncomingMessage): Passing {
  const isListing = /comp=list|list-type=2/.test(url)
  return { method, url, isListing, isDownload: method === 'GET' && !isListing }
}

function forward(incoming: IncomingMessage, answer: ServerResponse, target: string, fate: Fate): void {
  const { method, headers } = incoming
  const outgoing = request(`${target}${incoming.url}`, { method, headers, agent: false }, (response) => {
    answer.writeHead(response.statusCode ?? 502, response.headers)
    if (fate === 'pass') {
      response.pipe(answer)
      return
    }
    response.once('data', (chunk: Buffer) => {
      response.destroy()
      const half = chunk.subarray(0, chunk.length >> 1)
      if (fate === 'half') answer.write(half, () => answer.destroy())
      else answer.write(half)
    })
  })
  outgoing.on('error', () => answer.destroy())
  incoming.pipe(outgoing)
}
