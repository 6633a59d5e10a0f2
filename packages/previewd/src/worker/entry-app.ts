import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { pathToFileURL } from 'node:url'

type Handler = (request: Request, address: string) => Promise<Response> | Response

/** Listens for a built server that is no program of its own: `node entry-app.js {run} {module}`. */
async function main([run, file = '']: string[]): Promise<void> {
  const handler = await loadHandler(run, resolve(file))
  const server = createServer((req, res) => void answer(req, res, handler))
  server.listen(Number(process.env.PORT), process.env.HOST)
}

async function loadHandler(run: string | undefined, file: string): Promise<Handler> {
  if (run === 'react-router') return await loadReactRouter(file)
  return run === 'sveltekit' ? await loadSvelteKit(file) : await loadFetch(file)
}

type Fetch = (request: Request) => Promise<Response> | Response

/** A module whose default export is a handler, or has one by the name of `fetch`. */
async function loadFetch(file: string): Promise<Handler> {
  const { default: exported } = (await import(pathToFileURL(file).href)) as {
    default?: Fetch | { fetch?: Fetch }
  }
  const fetch = typeof exported === 'function' ? exported : exported?.fetch?.bind(exported)
  if (!fetch) throw new Error(`${file} exports no handler of requests.`)
  return (request) => fetch(request)
}

/** As the framework's own server for Node does, with the copy of the framework that the build imports. */
async function loadReactRouter(file: string): Promise<Handler> {
  const build = (await import(pathToFileURL(file).href)) as object
  const { createRequestHandler } = createRequire(file)('react-router') as {
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
  const { createReadStream } = await import('node:fs')
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
