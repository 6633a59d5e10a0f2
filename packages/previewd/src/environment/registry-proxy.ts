import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { type CachedMetadata, MetadataCache } from './metadata-cache.ts'
import { tarballRewriter } from './packument.ts'
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
  readonly #token: string | undefined
  readonly #limits: ProxyLimits
  readonly #server = createServer((request, response) => void this.#answer(request, response))
  readonly #cache: MetadataCache
  #failure: { at: number; reason: string } | undefined

  constructor({ socket, cacheDir, registryUrl, token, limits }: RegistryProxyOptions) {
    this.socket = socket
    this.#registry = new URL(registryUrl.endsWith('/') ? registryUrl : `${registryUrl}/`)
    this.#token = token
    this.#limits = { ...DEFAULT_LIMITS, ...limits }
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
    const headers = { accept, ...(etag === undefined ? {} : { 'if-none-match': etag }) }
    const { response, release } = await this.#fetch(path, 'GET', headers)
    try {
      if (response.status === 304 && cached !== undefined) return this.#cache.refresh(key, cached)
      if (response.status !== 200 || response.body === null) return this.#statusOf(response)
      const body = Readable.fromWeb(response.body as ReadableStream)
      const transforms = [
        capBytes(this.#limits.metadataBytes, 'the metadata of a package'),
        tarballRewriter(this.#registry.href),
      ]
      return await this.#cache.put(key, body, transforms, passedHeaders(response))
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
        capBytes(this.#limits.tarballBytes, 'a tarball'),
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
