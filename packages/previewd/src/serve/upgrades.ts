import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Project } from '../model/project.ts'
import type { Backends } from './backend/backends.ts'
import type { GatewayOptions } from './gateway-options.ts'
import { LIVE_PATH, type LiveSockets } from './live-socket.ts'
import { isOwnOrigin } from './own-origin.ts'
import { splitTarget } from './request-path.ts'
import { isEditorOf, sessionUrl } from './session/editor-session.ts'
import { toUpstreamHeaders } from './upstream/headers.ts'
import { refuseUpgrade, type UpgradeRefusal } from './upstream/refuse-upgrade.ts'
import { isWebSocket, type Tunnels } from './upstream/tunnels.ts'

export interface UpgradeParts {
  options: GatewayOptions
  tunnels: Tunnels
  backends: Backends | undefined
  live: LiveSockets | undefined
}

/**
 * Answers a WebSocket's opening request at the origin of a project or a build, for no page of another origin, whose
 * requests carry the cookies of this one: those for a back end to who may see the preview, all others to editors.
 */
export function answerUpgrade(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  target: { project: string; buildId?: string },
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
  { buildId }: { buildId?: string },
  { options, tunnels, live, backends }: UpgradeParts,
): UpgradeRefusal | undefined {
  const backend = backends?.find(req, project)
  if (backends && backend) return backends.openSocket(req, socket, head, project, backend, tunnels)
  if (buildId !== undefined) return 404
  const { rawPath, query } = splitTarget(req.url ?? '')
  if (!isOwnOrigin(req) || !isEditorOf(req, project, query, options)) return 403
  if (!isWebSocket(req)) return 400
  if (rawPath === LIVE_PATH) return live === undefined ? 404 : live.open(req, socket, head, project.id)
  const path = sessionUrl(req, project, options)
  const { sessions } = options
  if (path === undefined || sessions === undefined) return 404
  const { state } = sessions.view(project.id)
  if (state !== 'live' && state !== 'starting') return 404
  const headers = toUpstreamHeaders(req, options.isOwnKey)
  // The page of a session that wakes is there before its dev server is.
  const asking = sessions
    .untilLive(project.id)
    .then((address) => address && { socketPath: address.socket, path, headers })
  return tunnels.open(socket, head, { project: project.id, asking })
}
