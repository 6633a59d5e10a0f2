import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type CachedMetadata, MetadataCache } from './metadata-cache.ts'
import { tarballRewriter } from './packument.ts'
import { type RegistryAnswer, RegistryClient } from './registry-client.ts'
import { parseRegistryPath, type RegistryPath } from './registry-path.ts'

export interface RegistryProxyOptions {
  /** Where the unix socket is made. */
  socket: string
  /** Folder for package metadata; emptied at the start. */
  cacheDir: string
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
  /** Between bytes of an answer; the installer's own retries go on from there. */
  stallTimeoutMs: number
  cacheBytes: number
  /**
   * How long metadata is given out again without asking the registry. Next to a minimum release age of hours this
   * hides nothing that could be installed.
   */
  freshMs: number
}

export interface RegistryProxy {
  readonly socket: string
  /** Versions of a package that the registry offered a moment ago, as far as they are remembered. */
  knownVersions(name: string): Promise<string[]>
  /** Why the registry could not be reached, newest first; only failures since `time` (ms since the epoch). */
  failureSince(time: number): string | undefined
  close(): Promise<void>
}

const DEFAULT_LIMITS: ProxyLimits = {
  metadataBytes: 64 * 1024 * 1024,
  tarballBytes: 256 * 1024 * 1024,
  answerTimeoutMs: 20_000,
  transferTimeoutMs: 120_000,
  stallTimeoutMs: 15_000,
  cacheBytes: 1024 * 1024 * 1024,
  freshMs: 15 * 60_000,
}
const MAX_CONNECTIONS = 512
/** Headers of the registry's answer that the installer may see. */
const PASSED_HEADERS = ['content-type', 'etag', 'last-modified', 'cache-control']

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
  readonly #client: RegistryClient
  readonly #limits: ProxyLimits
  readonly #server = createServer((request, response) => void this.#answer(request, response))
  readonly #cache: MetadataCache
  #failure: { at: number; reason: string } | undefined

  constructor({ socket, cacheDir, registryUrl, token, limits }: RegistryProxyOptions) {
    this.socket = socket
    this.#registry = new URL(registryUrl.endsWith('/') ? registryUrl : `${registryUrl}/`)
    this.#limits = { ...DEFAULT_LIMITS, ...limits }
    this.#client = new RegistryClient({ ...this.#limits, registry: this.#registry, token })
    this.#cache = new MetadataCache(cacheDir, this.#limits.cacheBytes)
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  async listen(): Promise<void> {
    await this.#cache.clear()
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
    this.#client.close()
    await closed
    await rm(this.socket, { force: true })
  }

  failureSince(time: number): string | undefined {
    return this.#failure !== undefined && this.#failure.at >= time ? this.#failure.reason : undefined
  }

  async knownVersions(name: string): Promise<string[]> {
    const paths = [name, name.replace('/', '%2f'), name.replace('/', '%2F')]
    const text = await this.#cache.find((key) => paths.some((path) => key.endsWith(` ${path}`)))
    const { versions } = JSON.parse(text ?? '{}') as { versions?: Record<string, unknown> }
    return Object.keys(versions ?? {})
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
      const hungUp = (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE'
      if (!hungUp) this.#failure = { at: Date.now(), reason: reasonOf(error) }
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
    const found = isFresh ? cached : await this.#fetchMetadata(key, path, accept, cached)
    if (typeof found === 'number') return refuse(response, found)
    const { etag } = found.headers
    if (etag !== undefined && request.headers['if-none-match'] === etag) {
      return void response.writeHead(304, found.headers).end()
    }
    response.writeHead(200, { ...found.headers, 'content-length': found.size })
    if (request.method === 'HEAD') return void response.end()
    await pipeline(createReadStream(found.file), response)
  }

  /** Resolves with the status where the registry has no such package. */
  async #fetchMetadata(
    key: string,
    path: string,
    accept: string,
    cached: CachedMetadata | undefined,
  ): Promise<CachedMetadata | number> {
    const etag = cached?.headers.etag
    const answer = await this.#client.ask('GET', path, {
      accept,
      'accept-encoding': 'gzip, br',
      ...(etag === undefined ? {} : { 'if-none-match': etag }),
    })
    if (answer.status !== 200) {
      answer.body.destroy()
      const isSame = answer.status === 304 && cached !== undefined
      return isSame ? this.#cache.refresh(key, cached) : this.#statusOf(answer)
    }
    const transforms = [
      capBytes(this.#limits.metadataBytes, 'the metadata of a package'),
      tarballRewriter(this.#registry.href),
    ]
    return await this.#cache.put(key, answer.body, transforms, passedHeaders(answer))
  }

  async #sendTarball(
    { path }: RegistryPath,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const method = request.method === 'HEAD' ? 'HEAD' : 'GET'
    const answer = await this.#client.ask(method, path, { accept: '*/*', 'accept-encoding': 'identity' })
    const length = Number(answer.headers['content-length'] ?? 0)
    if (answer.status !== 200 || length > this.#limits.tarballBytes) {
      answer.body.destroy()
      return refuse(response, answer.status === 200 ? 413 : this.#statusOf(answer))
    }
    response.writeHead(200, { ...passedHeaders(answer), ...(length > 0 ? { 'content-length': length } : {}) })
    if (method === 'HEAD') {
      answer.body.destroy()
      return void response.end()
    }
    await pipeline(answer.body, capBytes(this.#limits.tarballBytes, 'a tarball'), response)
  }

  /** Answers that mean the registry is at fault are remembered, so that the project is not blamed for them. */
  #statusOf({ status }: RegistryAnswer): number {
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

function passedHeaders({ headers }: RegistryAnswer): Record<string, string> {
  return Object.fromEntries(
    PASSED_HEADERS.flatMap((name) => {
      const value = headers[name]
      return typeof value === 'string' ? [[name, value] as const] : []
    }),
  )
}

function capBytes(limit: number, what: string): Transform {
  let size = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length
      done(size > limit ? new Error(`${what} is too large`) : null, chunk)
    },
  })
}

/** The system's word for it (ECONNREFUSED) says more than "fetch failed". */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = (cause as NodeJS.ErrnoException).code
  return code ?? (cause instanceof Error ? cause.message : String(cause))
}
