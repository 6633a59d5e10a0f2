import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Project } from '../model/project.ts'
import type { Backends } from './backend/backends.ts'
import type { GatewayOptions } from './gateway-options.ts'
import { admission } from './grant-cookie.ts'
import { LIVE_PATH, type LiveSockets } from './live-socket.ts'
import { isOwnOrigin } from './own-origin.ts'
import { decodePath, splitTarget } from './request-path.ts'
import { isEditorOf, sessionUrl } from './session/editor-session.ts'
import { toUpstreamHeaders } from './upstream/headers.ts'
import { refuseUpgrade, type UpgradeRefusal } from './upstream/refuse-upgrade.ts'
import { isWebSocket, type TunnelEnd, type Tunnels } from './upstream/tunnels.ts'

/** How long a server has to wake. */
const APP_WAIT_MS = 20_000

export interface UpgradeParts {
  options: GatewayOptions
  tunnels: Tunnels
  backends: Backends | undefined
  live: LiveSockets | undefined
}

/**
 * Answers a WebSocket's opening request at the origin of a project or a build, for no page of another origin, whose
 * requests carry the cookies of this one: those for a back end or the server of a build to who may see the preview, all
 * others to editors.
 */
export function answerUpgrade(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  target: { project: string; buildId?: string; envSet?: string },
  parts: UpgradeParts,
): void {
  // A client that breaks off is no error of anybody.
  socket.on('error', () => socket.destroy())
  const project = parts.options.projects.get(target.project)
  const refusal = project === undefined ? 404 : open(req, socket, head, project, target, parts)
  if (refusal !== undefined) refuseUpgrade(socket, refusal)
}

/** Answers with the status of the refusal where there is to be one. */
function open(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  project: Project,
  { buildId, envSet }: { buildId?: string; envSet?: string },
  parts: UpgradeParts,
): UpgradeRefusal | undefined {
  const { options, tunnels, live, backends } = parts
  const backend = backends?.find(req, project)
  if (backends && backend) return backends.openSocket(req, socket, head, project, backend, tunnels)
  // What an env set shows is made of files alone.
  if (envSet !== undefined) return 404
  const { rawPath, query } = splitTarget(req.url ?? '')
  if (!isOwnOrigin(req)) return 403
  if (!isWebSocket(req)) return 400
  const isEditor = isEditorOf(req, project, query, options)
  if (rawPath === LIVE_PATH) {
    if (!isEditor) return 403
    return live === undefined || buildId !== undefined ? 404 : live.open(req, socket, head, project.id)
  }
  const asking =
    (isEditor && buildId === undefined ? askSession(req, project, options) : undefined) ??
    askApp(req, project, { buildId, isEditor }, options)
  if (asking === undefined) return isEditor ? 404 : 403
  return tunnels.open(socket, head, asking)
}

/** The dev server of a session that is there or comes. */
function askSession(req: IncomingMessage, project: Project, options: GatewayOptions): TunnelEnd | undefined {
  const path = sessionUrl(req, project, options)
  const { sessions } = options
  if (path === undefined || sessions === undefined) return undefined
  const { state } = sessions.view(project.id)
  if (state !== 'live' && state !== 'starting') return undefined
  const headers = toUpstreamHeaders(req, options.isOwnKey)
  // The page of a session that wakes is there before its dev server is.
  const asking = sessions
    .untilLive(project.id)
    .then((address) => address && { socketPath: address.socket, path, headers })
  return { project: project.id, asking }
}

/** The server of the published build, or of this one, for who may see the preview. */
function askApp(
  req: IncomingMessage,
  project: Project,
  { buildId, isEditor }: { buildId: string | undefined; isEditor: boolean },
  options: GatewayOptions,
): TunnelEnd | undefined {
  const { builds, appServers, grants } = options
  const asked = buildId ?? project.published?.buildId
  if (appServers === undefined || asked === undefined) return undefined
  if (builds.get(project.id, asked)?.server === undefined) return undefined
  const { rawPath, query } = splitTarget(req.url ?? '')
  const { role, offered } = admission(req, query, project.id, grants)
  if (project.settings.visibility === 'private' && role === undefined && !isEditor) return undefined
  if (/^\/+\.previewd(?:\/|$)/i.test(decodePath(rawPath) ?? rawPath)) return undefined
  const path = rawPath + (offered?.cleanQuery ?? query)
  const headers = toUpstreamHeaders(req, options.isOwnKey)
  const asking = appServers
    .reach(project.id, asked, { waitMs: APP_WAIT_MS, only: buildId !== undefined })
    .then((reached) => ('socket' in reached ? { socketPath: reached.socket, path, headers } : undefined))
  // Those of visitors take no place from the ones of editors.
  return { project: `${project.id} app`, asking }
}
