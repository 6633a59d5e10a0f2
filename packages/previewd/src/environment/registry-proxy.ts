import { once } from 'node:events'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { LRUCache } from 'lru-cache'
import { rewriteTarballs } from './packument.ts'
import { parseRegistryPath, type RegistryPath } from './registry-path.ts'

export interface RegistryProxyOptions {
  /** Where the unix socket is made. */
  socket: string
  registryUrl: string
  /** Sent to that registry and to nothing else. */
  token?: string | undefined
  limits?: Partial<ProxyLimits>
}

export interface ProxyLimits {
  metadataBytes: number
  tarballBytes: number
  /** From the request to the first bytes of the answer. */
  answerTimeoutMs: number
  transferTimeoutMs: number
  cacheBytes: number
  /** How long metadata is given out again without asking the registry. */
  freshMs: number
}

export interface RegistryProxy {
  readonly socket: string
  /** Versions of a package that the registry offered a moment ago, as far as they are remembered. */
  knownVersions(name: string): string[]
  /** Why the registry could not be reached, newest first; only failures since `time` (ms since the epoch). */
  failureSince(time: number): string | undefined
  close(): Promise<void>
}

const DEFAULT_LIMITS: ProxyLimits = {
  metadataBytes: 64 * 1024 * 1024,
  tarballBytes: 256 * 1024 * 1024,
  answerTimeoutMs: 20_000,
  transferTimeoutMs: 120_000,
  cacheBytes: 64 * 1024 * 1024,
  freshMs: 60_000,
}
const MAX_CONNECTIONS = 512
/** Headers of the registry's answer that the installer may see. */
const PASSED_HEADERS = ['content-type', 'etag', 'last-modified', 'cache-control']

interface CachedMetadata {
  body: Buffer
  headers: Record<string, string>
  fetchedAt: number
}

/**
 * The only network of the installer: an HTTP server on a unix socket that forwards GET and HEAD requests for package
 * metadata and tarballs to one registry. Redirects are followed by nobody.
 */
export async function startRegistryProxy(options: RegistryProxyOptions): Promise<RegistryProxy> {
  const proxy = new UnixProxy(options)
  await proxy.listen()
  return proxy
}

class UnixProxy implements RegistryProxy {
  readonly socket: string
  readonly #registry: URL
  readonly #token: string | undefined
  readonly #limits: ProxyLimits
  readonly #server = createServer((request, response) => void this.#answer(request, response))
  readonly #cache: LRUCache<string, CachedMetadata>
  #failure: { at: number; reason: string } | undefined

  constructor({ socket, registryUrl, token, limits }: RegistryProxyOptions) {
    this.socket = socket
    this.#registry = new URL(registryUrl.endsWith('/') ? registryUrl : `${registryUrl}/`)
    this.#token = token
    this.#limits = { ...DEFAULT_LIMITS, ...limits }
    this.#cache = new LRUCache({
      maxSize: this.#limits.cacheBytes,
      sizeCalculation: ({ body }) => body.length + 1024,
    })
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  async listen(): Promise<void> {
    await mkdir(dirname(this.socket), { recursive: true, mode: 0o711 })
    await rm(this.socket, { force: true })
    this.#server.listen(this.socket)
    await once(this.#server, 'listening')
    // The installer connects with its own uid; the folder's mode keeps others from finding the socket.
    await chmod(this.socket, 0o666)
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
    await rm(this.socket, { force: true })
  }

  failureSince(time: number): string | undefined {
    return this.#failure !== undefined && this.#failure.at >= time ? this.#failure.reason : undefined
  }

  knownVersions(name: string): string[] {
    const keys = [name, name.replace('/', '%2f'), name.replace('/', '%2F')]
    for (const [key, { body }] of this.#cache.entries()) {
      if (!keys.some((candidate) => key.endsWith(` ${candidate}`))) continue
      const json: unknown = JSON.parse(body.toString('utf8'))
      const versions = (json as { versions?: unknown }).versions
      return typeof versions === 'object' && versions !== null ? Object.keys(versions) : []
    }
    return []
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume()
    const asked = parseRegistryPath(request.url ?? '')
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405)
    if (asked === undefined) return refuse(response, 404)
    try {
      if (asked.kind === 'metadata') await this.#sendMetadata(asked, request, response)
      else await this.#sendTarball(asked, request, response)
    } catch (error) {
      // An installer that has had enough hangs up; that is not the registry's fault.
      if (!response.destroyed) this.#failure = { at: Date.now(), reason: reasonOf(error) }
      if (response.headersSent) response.destroy()
      else refuse(response, 502)
    }
  }

  async #sendMetadata(
    { path }: RegistryPath,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const accept = request.headers.accept ?? '*/*'
    const key = `${accept} ${path}`
    const cached = this.#cache.get(key)
    const isFresh = cached !== undefined && Date.now() - cached.fetchedAt < this.#limits.freshMs
    const found = isFresh ? cached : await this.#fetchMetadata(path, accept, cached)
    if (typeof found === 'number') return refuse(response, found)
    this.#cache.set(key, found)
    const isKnown =
      request.headers['if-none-match'] === found.headers.etag && found.headers.etag !== undefined
    response.writeHead(isKnown ? 304 : 200, found.headers)
    response.end(isKnown || request.method === 'HEAD' ? undefined : found.body)
  }

  /** Resolves with the status where the registry has no such package. */
  async #fetchMetadata(
    path: string,
    accept: string,
    cached: CachedMetadata | undefined,
  ): Promise<CachedMetadata | number> {
    const etag = cached?.headers.etag
    const headers = { accept, ...(etag === undefined ? {} : { 'if-none-match': etag }) }
    const { response, release } = await this.#fetch(path, 'GET', headers)
    try {
      if (response.status === 304 && cached !== undefined) return { ...cached, fetchedAt: Date.now() }
      if (response.status !== 200) return this.#statusOf(response)
      const text = await readText(response, this.#limits.metadataBytes)
      return {
        body: Buffer.from(rewriteTarballs(text, this.#registry.href)),
        headers: passedHeaders(response),
        fetchedAt: Date.now(),
      }
    } finally {
      release()
    }
  }

  async #sendTarball(
    { path }: RegistryPath,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const method = request.method === 'HEAD' ? 'HEAD' : 'GET'
    const { response: found, release } = await this.#fetch(path, method, { accept: '*/*' })
    try {
      if (found.status !== 200) return refuse(response, this.#statusOf(found))
      const length =
        found.headers.get('content-encoding') === null ? found.headers.get('content-length') : null
      if (Number(length ?? 0) > this.#limits.tarballBytes) return refuse(response, 413)
      response.writeHead(200, {
        ...passedHeaders(found),
        ...(length === null ? {} : { 'content-length': length }),
      })
      if (method === 'HEAD' || found.body === null) return void response.end()
      await pipeline(
        Readable.fromWeb(found.body as ReadableStream),
        capBytes(this.#limits.tarballBytes),
        response,
      )
    } finally {
      release()
    }
  }

  async #fetch(path: string, method: 'GET' | 'HEAD', headers: Record<string, string>) {
    const controller = new AbortController()
    const { answerTimeoutMs, transferTimeoutMs } = this.#limits
    const abort = () => controller.abort(new Error('the registry took too long to answer'))
    let timer = setTimeout(abort, answerTimeoutMs)
    const release = () => {
      clearTimeout(timer)
      controller.abort()
    }
    try {
      const response = await fetch(new URL(path, this.#registry), {
        method,
        headers: {
          ...headers,
          ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        },
        redirect: 'manual',
        signal: controller.signal,
      })
      clearTimeout(timer)
      timer = setTimeout(abort, transferTimeoutMs)
      return { response, release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Answers that mean the registry is at fault are remembered, so that the project is not blamed for them. */
  #statusOf(response: Response): number {
    const { status } = response
    if (status === 401 || status === 403 || status >= 500 || status < 400) {
      this.#failure = { at: Date.now(), reason: `the registry answered ${status}` }
    }
    return status >= 400 ? status : 502
  }
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end('{}')
}

function passedHeaders(response: Response): Record<string, string> {
  return Object.fromEntries(
    PASSED_HEADERS.flatMap((name) => {
      const value = response.headers.get(name)
      return value === null ? [] : [[name, value] as const]
    }),
  )
}

async function readText(response: Response, limitBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > limitBytes) throw new Error('the metadata of a package is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function capBytes(limit: number): Transform {
  let size = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length
      done(size > limit ? new Error('a tarball is too large') : null, chunk)
    },
  })
}

/** The system's word for it (ECONNREFUSED) says more than "fetch failed". */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = (cause as NodeJS.ErrnoException).code
  return code ?? (cause instanceof Error ? cause.message : String(cause))
}
