import { once } from 'node:events'
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request as requestPlain } from 'node:http'
import { request as requestTls, Agent as TlsAgent } from 'node:https'
import { pipeline, type Readable, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip } from 'node:zlib'
import { cachedLookup } from './cached-lookup.ts'
import { stallGuard } from './stall-guard.ts'

export interface RegistryClientOptions {
  registry: URL
  token?: string | undefined
  /** From the request to the first bytes of the answer. */
  answerTimeoutMs: number
  transferTimeoutMs: number
  /** Between bytes that its reader has room for. */
  stallTimeoutMs: number
}

export interface RegistryAnswer {
  status: number
  headers: IncomingHttpHeaders
  /** Decompressed; has to be read to its end or destroyed. */
  body: Readable
}

const MAX_SOCKETS = 32
const IDLE_SOCKET_MS = 60_000

/** Asks one registry, over connections that are kept; redirects are answers like others. */
export class RegistryClient {
  readonly #options: RegistryClientOptions
  readonly #isTls: boolean
  readonly #agent: Agent

  constructor(options: RegistryClientOptions) {
    this.#options = options
    this.#isTls = options.registry.protocol === 'https:'
    const settings = {
      keepAlive: true,
      maxSockets: MAX_SOCKETS,
      maxFreeSockets: MAX_SOCKETS,
      timeout: IDLE_SOCKET_MS,
      lookup: cachedLookup(),
    }
    this.#agent = this.#isTls ? new TlsAgent(settings) : new Agent(settings)
  }

  /** Rejects where the registry cannot be reached or says nothing in time. */
  async ask(method: 'GET' | 'HEAD', path: string, headers: Record<string, string>): Promise<RegistryAnswer> {
    const { registry, token, answerTimeoutMs, transferTimeoutMs, stallTimeoutMs } = this.#options
    const send = this.#isTls ? requestTls : requestPlain
    const request = send(new URL(path, registry), {
      method,
      agent: this.#agent,
      headers: {
        ...headers,
        'user-agent': 'previewd',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    })
    // Also of one that was answered: whoever reads the body learns of it there.
    request.on('error', () => request.destroy())
    const tooSlow = () => request.destroy(new Error('the registry took too long to answer'))
    const answerTimer = setTimeout(tooSlow, answerTimeoutMs)
    try {
      request.end()
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      const transferTimer = setTimeout(
        () => response.destroy(new Error('the registry is too slow')),
        transferTimeoutMs,
      )
      response.once('close', () => clearTimeout(transferTimer))
      const body = toBody(response, stallTimeoutMs)
      return { status: response.statusCode ?? 0, headers: response.headers, body }
    } finally {
      clearTimeout(answerTimer)
    }
  }

  close(): void {
    this.#agent.destroy()
  }
}

function toBody(response: IncomingMessage, stallTimeoutMs: number): Readable {
  // Errors of any part destroy the others, and whoever reads the last learns of them there.
  const stages = [stallGuard(stallTimeoutMs), ...decoders(response.headers['content-encoding'])]
  return pipeline([response, ...stages], () => undefined) as Transform
}

function decoders(encoding: string | undefined): Transform[] {
  if (encoding === 'gzip') return [createGunzip()]
  return encoding === 'br' ? [createBrotliDecompress()] : []
}
