import {
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  request,
  type ServerResponse,
} from 'node:http'
import { request as requestTls } from 'node:https'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { toClientHeaders } from '../upstream/headers.ts'
import { hasBody, isRepeatable, isStale } from '../upstream/repeatable.ts'
import { BackendFailure } from './backend-failure.ts'

/** A stream of events is silent for as long as its app likes, within this. */
const EVENTS_SILENCE_MS = 60 * 60_000
/** After such a silence the system asks whether the other end is still there. */
const KEEP_ALIVE_MS = 30_000

export interface Forwarding {
  /** How the back end is asked, with its agent; the headers are those that it gets. */
  asking: RequestOptions
  /** A header of its answer as the client gets it, by its lower-case name. */
  rewrite: (name: string, value: string) => string
  /** What says nothing of caches must not be kept by those that many share. */
  isPrivate: boolean
  frameAncestors: readonly string[]
  /** Silence that is waited for, at the beginning and in between. */
  timeoutMs: number
  /** Of a request. */
  bodyBytes: number
}

/**
 * Sends a request on and its answer back, both as they come, and follows no redirect. Rejects with what went wrong
 * before the answer began; one that breaks off later breaks off for the client, too.
 */
export async function forward(req: IncomingMessage, res: ServerResponse, to: Forwarding): Promise<void> {
  const answer = await ask(req, res, to)
  // The client may still be sending what the back end did not wait for.
  if (!req.complete) res.shouldKeepAlive = false
  const headers = toClientHeaders(answer.rawHeaders, to)
  if (to.isPrivate && answer.headers['cache-control'] === undefined) headers.push('Cache-Control', 'private')
  res.writeHead(answer.statusCode ?? 502, headers)
  // A stream may say nothing for a while.
  res.flushHeaders()
  await pipeline(answer, res)
}

async function ask(req: IncomingMessage, res: ServerResponse, to: Forwarding): Promise<IncomingMessage> {
  if (Number(req.headers['content-length'] ?? 0) > to.bodyBytes) throw tooLarge(to)
  const mayRepeat = isRepeatable(req)
  try {
    return await askOnce(req, res, to, mayRepeat)
  } catch (error) {
    if (!mayRepeat || !(error instanceof StaleConnection) || res.destroyed) throw error
    return askOnce(req, res, to, false)
  }
}

class StaleConnection extends Error {
  readonly code = 'ECONNRESET'
}

/** `isKept`: over a connection that was used before, where there is one; one of its own otherwise. */
function askOnce(
  req: IncomingMessage,
  res: ServerResponse,
  to: Forwarding,
  isKept: boolean,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const send = to.asking.protocol === 'https:' ? requestTls : request
  const asking = send({ ...to.asking, timeout: to.timeoutMs, ...(!isKept && { agent: false }) })
  let deadline: NodeJS.Timeout | undefined
  const late = (): void => void asking.destroy(tooLate(asking, to))
  const abandon = (): void => void asking.destroy()
  res.once('close', abandon)
  asking.on('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS))
  asking.on('timeout', late)
  // An answer that trickles in header by header is not silent.
  asking.on('finish', () => {
    deadline ??= setTimeout(late, to.timeoutMs)
  })
  asking.on('error', (error) => {
    reject(isStale(asking, error) ? new StaleConnection(error.message) : error)
  })
  asking.on('close', () => {
    clearTimeout(deadline)
    res.off('close', abandon)
    reject(new BackendFailure('BACKEND_UNREACHABLE', 'closed the connection'))
  })
  asking.on('response', (answer) => {
    clearTimeout(deadline)
    if (answer.headers['content-type']?.startsWith('text/event-stream')) asking.setTimeout(EVENTS_SILENCE_MS)
    resolve(answer)
  })
  if (hasBody(req)) sendBody(req, asking, to)
  else asking.end()
  return promise
}

function sendBody(req: IncomingMessage, asking: ClientRequest, to: Forwarding): void {
  let bytes = 0
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes <= to.bodyBytes) return done(null, chunk)
      asking.destroy(tooLarge(to))
      done()
    },
  })
  req.pipe(counted).pipe(asking)
  req.once('error', () => asking.destroy())
  // Nothing reads on where the back end is gone; the rest of the body has nowhere to go.
  asking.once('close', () => req.unpipe(counted))
}

function tooLarge({ bodyBytes }: Forwarding): BackendFailure {
  return new BackendFailure(
    'PAYLOAD_TOO_LARGE',
    `gets at most ${bodyBytes} bytes in one request through this server`,
  )
}

function tooLate(asking: ClientRequest, { timeoutMs }: Forwarding): BackendFailure {
  const seconds = Math.round(timeoutMs / 100) / 10
  const what = asking.socket?.connecting === false ? 'did not answer' : 'did not accept the connection'
  return new BackendFailure('BACKEND_TIMEOUT', `${what} within ${seconds} s`)
}
