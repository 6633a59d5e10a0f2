import { Agent, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { createProxyServer } from 'httpxy'
import type { SessionAddress } from '../../model/session.ts'
import { sendMessage } from '../answers.ts'
import { clientTag } from '../client/client-script.ts'
import type { GatewayOptions } from '../gateway-options.ts'
import { isNavigation } from '../navigation.ts'
import { NO_PAGE_YET } from '../refuse.ts'
import { toClientHeaders, toUpstreamHeaders } from '../upstream/headers.ts'
import type { FindFile } from './built-file.ts'
import {
  acceptedCompressions,
  createCompression,
  isCompressibleAnswer,
  isRemote,
  toCompressedHeaders,
} from './compress.ts'
import type { Compression } from './compress-whole.ts'
import type { ProjectAnswers } from './compressed-answers.ts'
import { clientInjection } from './inject-client.ts'
import { preloadTags } from './preloads.ts'
import { sendOn } from './send-on.ts'
import { sendWhole, wholeLength } from './send-whole.ts'

/** A server that says nothing for so long is not waited for; the first answer of a dev server takes its time. */
const SILENCE_TIMEOUT_MS = 120_000
/** Vite's answer for a module of a bundle that it has not got any more. */
const OUTDATED = 504
const MAX_CONNECTIONS = 256
/** For the end of an answer: of each question, and of each stream that the answer runs through. */
const MAX_LISTENERS = 40

/** Connections to servers of projects: each has a socket of its own, so that they are never shared between projects. */
export function createSessionAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS, maxFreeSockets: 16 })
}

export interface ProxiedSession extends SessionAddress {
  url: string
  agent: Agent
  instrument: boolean
  answers: ProjectAnswers
  /** Where it has not got what is asked for. */
  findBuilt: FindFile | undefined
  /** What the page will import, as far as that is known. */
  modules: readonly string[]
  /** Told whether what was asked for is there, or is no more. */
  note: (isThere: boolean) => void
}

type ProxyOptions = Pick<GatewayOptions, 'frameAncestors' | 'isOwnKey' | 'logger'>

/** Answers a request of an editor with what the dev server of the session says. `url` is asked for in place of the request's. */
export async function answerFromSession(
  req: IncomingMessage,
  res: ServerResponse,
  session: ProxiedSession,
  options: ProxyOptions,
): Promise<void> {
  if (!(await askSession(req, res, session, options))) sendNoAnswer(req, res)
}

/** False where it has not begun to answer, or until the signal has not: another one may be asked the same then. */
export function askSession(
  req: IncomingMessage,
  res: ServerResponse,
  session: ProxiedSession,
  options: ProxyOptions,
  signal?: AbortSignal,
): Promise<boolean> {
  const { revision, generation, instrument, modules, ...server } = session
  const isTagged = instrument && isNavigation(req)
  const tag = isTagged ? preloadTags(modules) + clientTag('session', revision, generation) : undefined
  return askServer(req, res, { ...server, isPrivate: false, isOfSources: true, tag }, options, signal)
}

export function sendNoAnswer(req: IncomingMessage, res: ServerResponse): void {
  sendMessage(req, res, NO_ANSWER)
}

/** A server of a project, in its sandbox. */
export interface ProjectServer {
  socket: string
  /** Asked for in place of the request's. */
  url: string
  agent: Agent
  /** Put first into pages. */
  tag: string | undefined
  /** What it answers is for nobody but who asked. */
  isPrivate: boolean
  /** It serves the sources of the project, which are for the pages of its own origin. */
  isOfSources: boolean
  /** Keeps what it answers over a network, compressed; without, that is compressed anew each time. */
  answers?: ProjectAnswers
  /** Where it has not got what is asked for. */
  findBuilt?: FindFile | undefined
  /** Told whether what was asked for is there, or is no more. */
  note?: (isThere: boolean) => void
}

/** Answers with what a server of the project says; false where that says nothing, and `res` is as it was. */
export async function askServer(
  req: IncomingMessage,
  res: ServerResponse,
  server: ProjectServer,
  options: ProxyOptions,
  signal?: AbortSignal,
): Promise<boolean> {
  const proxy = createProxyServer({
    target: { socketPath: server.socket },
    agent: server.agent,
    selfHandleResponse: true,
    proxyTimeout: SILENCE_TIMEOUT_MS,
  })
  const change: Change = {
    ...server,
    // Looked at before the headers are made those for the server.
    compressions: isRemote(req) ? acceptedCompressions(req) : [],
  }
  const asksForPage = server.isOfSources && isNavigation(req)
  const { headers } = req
  const { promise: isAnswered, resolve } = Promise.withResolvers<boolean>()
  let isLeft = false
  let isBegun = false
  const leave = (): void => {
    if (isLeft || isBegun) return
    isLeft = true
    req.headers = headers
    resolve(res.destroyed)
  }
  const fail = (error: unknown): void => {
    options.logger.debug({ err: error }, 'A server of a project did not answer')
    if (!isBegun) leave()
    else if (res.headersSent || res.destroyed) res.destroy()
    else sendNoAnswer(req, res)
  }
  res.setMaxListeners(MAX_LISTENERS)
  res.once('close', leave)
  signal?.addEventListener('abort', leave)
  proxy.on('proxyReq', (asking) => {
    const end = (): void => void (isLeft && asking.destroy())
    // It may have waited for a connection until now.
    end()
    signal?.addEventListener('abort', end)
  })
  const send = async (answer: IncomingMessage): Promise<void> => {
    const sendBuilt = mayBePage(answer) ? await server.findBuilt?.() : undefined
    if (sendBuilt) {
      answer.resume()
      return await sendBuilt()
    }
    const { statusCode = 0 } = answer
    if (statusCode === 200 || statusCode === 304) server.note?.(true)
    else if (statusCode === OUTDATED) server.note?.(false)
    if (asksForPage && isNothing(answer)) {
      answer.resume()
      return sendMessage(req, res, NO_PAGE_YET)
    }
    await sendAnswer(req, res, answer, change, options)
  }
  proxy.on('proxyRes', (answer) => {
    isBegun = true
    res.off('close', leave)
    void send(answer).catch(fail)
    resolve(true)
  })
  req.headers = toServerHeaders(req, server, options)
  req.url = server.url
  sendOn(proxy, req, res).catch(fail)
  return await isAnswered
}

/** A page is asked for whole and as it is, because a script is put into it. */
function toServerHeaders(
  req: IncomingMessage,
  { isOfSources, tag }: ProjectServer,
  { isOwnKey }: Pick<ProxyOptions, 'isOwnKey'>,
): IncomingHttpHeaders {
  const headers = toUpstreamHeaders(req, isOwnKey)
  if (!isNavigation(req) || !(isOfSources || tag !== undefined)) return headers
  for (const name of ['if-none-match', 'if-modified-since', 'if-range', 'range']) delete headers[name]
  return { ...headers, 'accept-encoding': 'identity' }
}

/** What is done to an answer where it can be. */
interface Change extends Pick<ProjectServer, 'tag' | 'isPrivate' | 'isOfSources' | 'answers'> {
  compressions: readonly Compression[]
}

async function sendAnswer(
  req: IncomingMessage,
  res: ServerResponse,
  answer: IncomingMessage,
  { tag, compressions, isPrivate, isOfSources, answers }: Change,
  { frameAncestors }: Pick<ProxyOptions, 'frameAncestors'>,
): Promise<void> {
  const isInjected = tag !== undefined && isWholePage(answer)
  const drop = [
    ...(isInjected ? ['content-length', 'etag', 'last-modified', 'accept-ranges'] : []),
    ...(isPrivate ? ['cache-control', 'expires'] : []),
  ]
  const headers = toClientHeaders(answer.rawHeaders, { frameAncestors, drop })
  if (isPrivate) headers.push('Cache-Control', 'private, no-cache')
  const isPage = answer.headers['content-type']?.startsWith('text/html') === true
  if (isOfSources && !isPage && answer.headers['cross-origin-resource-policy'] === undefined) {
    headers.push('Cross-Origin-Resource-Policy', 'same-origin')
  }
  // A stream of events is silent for as long as it likes.
  if (answer.headers['content-type']?.startsWith('text/event-stream')) answer.socket.setTimeout(0)
  const [compression] = req.method !== 'HEAD' && isCompressibleAnswer(answer) ? compressions : []
  if (compression !== undefined && answers !== undefined && req.method === 'GET' && !isInjected) {
    const bytes = wholeLength(answer)
    const room = bytes === undefined ? undefined : answers.room(bytes)
    if (room) return await sendWhole(res, answer, { headers, compression, answers, room })
  }
  const isCompressed = compression !== undefined && compressions.includes('gzip')
  res.writeHead(answer.statusCode ?? 502, isCompressed ? toCompressedHeaders(headers, 'gzip') : headers)
  if (req.method === 'HEAD') {
    answer.resume()
    res.end()
    return
  }
  const changes = [
    ...(isInjected ? [clientInjection(tag)] : []),
    ...(isCompressed ? [createCompression()] : []),
  ]
  await pipeline([answer, ...changes, res])
}

/** Dev servers say with a page, the app's own or one of theirs, that they have no such file. */
function mayBePage({ statusCode, headers }: IncomingMessage): boolean {
  return statusCode === 404 || headers['content-type']?.toLowerCase().startsWith('text/html') === true
}

/** What Vite says where the project has no index.html (yet): a page that stays blank, and never asks again. */
function isNothing({ statusCode, headers }: IncomingMessage): boolean {
  return statusCode === 404 && (headers['content-type'] === undefined || headers['content-length'] === '0')
}

function isWholePage({ statusCode = 0, headers }: IncomingMessage): boolean {
  if (statusCode < 200 || [204, 205, 206, 304].includes(statusCode)) return false
  const encoding = headers['content-encoding'] ?? 'identity'
  return headers['content-type']?.toLowerCase().startsWith('text/html') === true && encoding === 'identity'
}

const NO_ANSWER = {
  status: 502,
  heading: 'The dev server does not answer',
  text: 'It may be starting anew. This page asks again by itself.',
  headers: { Refresh: '1' },
}
