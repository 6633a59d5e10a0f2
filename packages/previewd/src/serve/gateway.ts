import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { LRUCache } from 'lru-cache'
import type { Encoding } from '../model/artifact.ts'
import { sendMessage, sendRedirect } from './answers.ts'
import { RequestsUnderWay } from './app/requests-under-way.ts'
import { Backends } from './backend/backends.ts'
import type { GatewayOptions } from './gateway-options.ts'
import { LiveSockets } from './live-socket.ts'
import { isNavigation } from './navigation.ts'
import { acceptedEncodings } from './negotiate-encoding.ts'
import { answerAtOrigin } from './origin-preview.ts'
import { markedLocation } from './path-mode/marker.ts'
import { answerAtPath, type PathListener, type PathParts } from './path-mode/path-preview.ts'
import { PathProfiles } from './path-mode/path-profiles.ts'
import { RouterBases } from './path-mode/router-base.ts'
import { type HostTarget, hostReader } from './preview-host.ts'
import { NOTHING_HERE } from './refuse.ts'
import { splitTarget } from './request-path.ts'
import { CompressedAnswers } from './session/compressed-answers.ts'
import { PagePatience } from './session/page-patience.ts'
import { createSessionAgent } from './session/proxy.ts'
import { SiteProfiles } from './site-profiles.ts'
import { StatusStreams } from './status-stream.ts'
import { answerUpgrade, type UpgradeParts } from './upgrades.ts'
import { refuseUpgrade } from './upstream/refuse-upgrade.ts'
import { Tunnels } from './upstream/tunnels.ts'

/** Serves previews: by the name of a project or a build in the Host header, or below `/preview/` on the API's host. */
export interface Gateway {
  /** True where the request is the gateway's to answer, also when the answer will be a refusal. */
  matches(req: IncomingMessage): boolean
  handle(req: IncomingMessage, res: ServerResponse): void
  handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Answers on the listener of its own that same-origin path mode has: `/preview/{id}/` and nothing else. */
  handleOnPathListener(req: IncomingMessage, res: ServerResponse): void
  /** Ends the open status streams and WebSockets. */
  close(): void
}

const KNOWN_ACCEPT_HEADERS = 200

export function createGateway(options: GatewayOptions): Gateway {
  const accepts = new LRUCache<string, readonly Encoding[]>({ max: KNOWN_ACCEPT_HEADERS })
  const backends = options.backends && new Backends(options.backends, options)
  const parts: PathParts = {
    options,
    backends,
    profiles: new SiteProfiles(options.frameAncestors),
    pathProfiles: new PathProfiles(options.frameAncestors),
    routerBases: new RouterBases(),
    streams: new StatusStreams((listener) => options.events.listen(listener)),
    sessionAgent: createSessionAgent(),
    patience: new PagePatience(options.pageTimeoutMs),
    compressed: options.compressed ?? new CompressedAnswers(),
    appRequests: new RequestsUnderWay(),
    accepted: (header) => acceptedOnce(accepts, header),
  }
  const targetOf = hostReader(options)
  const upgrades: UpgradeParts = { options, tunnels: new Tunnels(), live: liveSockets(options), backends }
  const guard = (req: IncomingMessage, res: ServerResponse, answering: Promise<void>): void => {
    answering.catch((error: unknown) => fail(req, res, error, options))
  }
  return {
    matches: (req) => targetOf(req).kind !== 'other' || isPathRequest(req, options),
    handle: (req, res) => guard(req, res, answer(req, res, targetOf(req), parts)),
    handleUpgrade(req, socket, head) {
      const target = targetOf(req)
      if ('project' in target) answerUpgrade(req, socket, head, target, upgrades)
      else refuseUpgrade(socket, 404)
    },
    handleOnPathListener: (req, res) => guard(req, res, answerBelowPath(req, res, 'own', parts)),
    close() {
      parts.streams.close()
      upgrades.tunnels.close()
      upgrades.live?.close()
      parts.sessionAgent.destroy()
      backends?.close()
    },
  }
}

async function answer(
  req: IncomingMessage,
  res: ServerResponse,
  target: HostTarget,
  parts: PathParts,
): Promise<void> {
  if (target.kind === 'malformed') return sendMessage(req, res, BAD_HOST)
  if (target.kind === 'misdirected') return sendMessage(req, res, MISDIRECTED)
  if (target.kind === 'other') return answerBelowPath(req, res, 'shared', parts)
  return answerAtOrigin(req, res, target, parts)
}

async function answerBelowPath(
  req: IncomingMessage,
  res: ServerResponse,
  listener: PathListener,
  parts: PathParts,
): Promise<void> {
  const { allowsHost } = parts.options
  if (allowsHost !== undefined && !allowsHost(req.headers.host)) return sendMessage(req, res, MISDIRECTED)
  if (req.url?.startsWith('/preview/')) return answerAtPath(req, res, listener, parts)
  const location = markedLocation(req.url ?? '')
  return location === undefined ? sendMessage(req, res, NOTHING_HERE) : sendRedirect(res, 307, location)
}

/** Below `/preview/`, or an address that the client script of path mode made. */
function isPathRequest(req: IncomingMessage, options: GatewayOptions): boolean {
  const url = req.url ?? ''
  if (url.startsWith('/preview/')) return true
  if (options.pathMode !== 'sandboxed' || markedLocation(url) === undefined) return false
  const [, segment = ''] = splitTarget(url).rawPath.split('/', 2)
  return isNavigation(req) && !options.apiPaths.includes(segment)
}

function acceptedOnce(
  known: LRUCache<string, readonly Encoding[]>,
  header: string | string[] | undefined,
): readonly Encoding[] {
  const text = typeof header === 'string' ? header : ''
  const before = known.get(text)
  if (before !== undefined) return before
  const encodings = acceptedEncodings(text === '' ? undefined : text)
  known.set(text, encodings)
  return encodings
}

/** Nothing of the error reaches the client; where the answer has begun, only the connection can say that it failed. */
function fail(req: IncomingMessage, res: ServerResponse, error: unknown, options: GatewayOptions): void {
  // The query may hold a grant, which no log shows.
  const path = splitTarget(req.url ?? '').rawPath
  if (res.headersSent || res.destroyed) {
    options.logger.debug({ err: error, path }, 'A preview was not sent to its end')
    res.destroy()
    return
  }
  options.logger.error({ err: error, host: req.headers.host, path }, 'A preview could not be served')
  sendMessage(req, res, FAILED)
}

function liveSockets(options: GatewayOptions): LiveSockets | undefined {
  const { viewers, now = Date.now } = options
  return viewers && new LiveSockets({ ...options, viewers, now })
}

const BAD_HOST = { status: 400, heading: 'The Host header is malformed', text: 'It does not name a host.' }
const MISDIRECTED = {
  status: 421,
  heading: 'No preview has this name',
  text: 'The name is not one that a project or a build can have.',
}
const FAILED = {
  status: 500,
  heading: 'The preview could not be shown',
  text: 'The server failed. This page asks again by itself.',
  headers: { Refresh: '5' },
}
