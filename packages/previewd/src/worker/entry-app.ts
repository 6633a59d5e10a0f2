import { createReadStream } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { Server } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { pathToFileURL } from 'node:url'

type Handler = (request: Request, address: string) => Promise<Response> | Response

/**
 * Runs a built server: `node entry-app.js {run} {module}`. One that is a program listens by itself; for the others their
 * handler of requests is called.
 */
async function main([run, file = '']: string[]): Promise<void> {
  const module = resolve(file)
  const handle = run === 'node' ? await runProgram(module) : await loadListener(run, module)
  if (handle) createServer(handle).listen(Number(process.env.PORT), process.env.HOST)
}

/** Undefined for a module that listens; others are of adapters that leave this to whoever imports them. */
async function runProgram(file: string): Promise<RequestListener | undefined> {
  let listens = false
  const { listen } = Server.prototype
  Server.prototype.listen = function (this: Server, ...args: Parameters<typeof listen>) {
    listens = true
    return listen.apply(this, args)
  } as typeof listen
  process.argv = [process.execPath, file]
  const exported = (await import(pathToFileURL(file).href)) as { handler?: unknown; default?: unknown }
  if (listens) return undefined
  const { handler } = exported
  if (typeof handler !== 'function') return toListener(fetchOf(exported.default, file))
  return (req, res) => handler(req, res, () => res.writeHead(404).end())
}

async function loadListener(run: string | undefined, file: string): Promise<RequestListener> {
  const router = run === undefined ? undefined : ROUTERS.get(run)
  if (router) return toListener(await loadRouter(file, router))
  if (run === 'sveltekit') return toListener(await loadSvelteKit(file))
  const { default: exported } = (await import(pathToFileURL(file).href)) as { default?: unknown }
  return toListener(fetchOf(exported, file))
}

function toListener(handler: Handler): RequestListener {
  return (req, res) => void answer(req, res, handler)
}

type Fetch = (request: Request) => Promise<Response> | Response

/** Of a default export that is a handler, or has one by the name of `fetch`. */
function fetchOf(exported: unknown, file: string): Handler {
  const { fetch } = (typeof exported === 'function' ? { fetch: exported } : (exported ?? {})) as {
    fetch?: (request: Request, ...platform: object[]) => Promise<Response> | Response
  }
  if (typeof fetch !== 'function')
    throw new Error(`${file} neither listens nor exports a handler of requests.`)
  // Some hosts give their handlers bindings and a context; these are empty.
  const context = { waitUntil: () => undefined, passThroughOnException: () => undefined }
  return (request) => fetch.call(exported, request, {}, context)
}

/** Frameworks whose builds leave routes and no handler, by the package that makes one of them. */
const ROUTERS: ReadonlyMap<string, string> = new Map([
  ['react-router', 'react-router'],
  ['remix', '@remix-run/node'],
])

/** As the framework's own server for Node does, with the copy of the framework that the build imports. */
async function loadRouter(file: string, router: string): Promise<Handler> {
  const build = (await import(pathToFileURL(file).href)) as object
  const { createRequestHandler } = createRequire(file)(router) as {
    createRequestHandler(build: object, mode: string): Fetch
  }
  const fetch = createRequestHandler(build, 'production')
  return (request) => fetch(request)
}

interface SvelteKitServer {
  init(options: { env: NodeJS.ProcessEnv; read: (file: string) => ReadableStream }): Promise<void>
  respond(request: Request, options: { getClientAddress: () => string }): Promise<Response>
}

/** As the framework's preview of a build does. */
async function loadSvelteKit(file: string): Promise<Handler> {
  const folder = dirname(file)
  const load = async (name: string) => await import(pathToFileURL(join(folder, name)).href)
  const { Server } = (await load('index.js')) as { Server: new (manifest: unknown) => SvelteKitServer }
  const { manifest } = (await load('manifest.js')) as { manifest: unknown }
  const server = new Server(manifest)
  const read = (name: string) => Readable.toWeb(createReadStream(join(folder, name)))
  await server.init({ env: process.env, read })
  return (request, address) => server.respond(request, { getClientAddress: () => address })
}

async function answer(req: IncomingMessage, res: ServerResponse, handler: Handler): Promise<void> {
  try {
    const address =
      String(req.headers['x-forwarded-for'] ?? '')
        .split(',')[0]
        ?.trim() ?? ''
    await send(res, await handler(toRequest(req, res), address))
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    if (res.headersSent) res.destroy()
    else res.writeHead(500, { 'Content-Type': 'text/plain' }).end('Internal Server Error')
  }
}

function toRequest(req: IncomingMessage, res: ServerResponse): Request {
  const protocol = req.headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'
  const headers = new Headers()
  for (let at = 0; at + 1 < req.rawHeaders.length; at += 2) {
    headers.append(req.rawHeaders[at] ?? '', req.rawHeaders[at + 1] ?? '')
  }
  const gone = new AbortController()
  res.once('close', () => gone.abort())
  const { method = 'GET' } = req
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return new Request(new URL(req.url ?? '/', `${protocol}://${req.headers.host}`), {
    method,
    headers,
    signal: gone.signal,
    ...(hasBody && { body: Readable.toWeb(req) as ReadableStream, duplex: 'half' as const }),
  })
}

async function send(res: ServerResponse, response: Response): Promise<void> {
  for (const [name, value] of response.headers) {
    if (name !== 'set-cookie') res.setHeader(name, value)
  }
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) res.setHeader('set-cookie', cookies)
  res.writeHead(response.status)
  if (response.body) await pipeline(Readable.fromWeb(response.body as ReadableStream), res)
  else res.end()
}

await main(process.argv.slice(2))
