import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Project } from '../model/project.ts'
import type { GatewayOptions } from './gateway-options.ts'
import { LIVE_PATH, type LiveSockets } from './live-socket.ts'
import { splitTarget } from './request-path.ts'
import { isEditorOf, isOwnOrigin, isWebSocket, sessionFor } from './session/editor-session.ts'
import { refuseUpgrade } from './session/refuse-upgrade.ts'
import type { SessionTunnels } from './session/upgrade.ts'

export interface UpgradeParts {
  options: GatewayOptions
  tunnels: SessionTunnels
  live: LiveSockets | undefined
}

type Refusal = Parameters<typeof refuseUpgrade>[1]

/**
 * Answers a WebSocket's opening request at the origin of a project: for editors alone, and for no page of another
 * origin, whose requests carry the cookies of this one.
 */
export function answerUpgrade(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  projectId: string,
  parts: UpgradeParts,
): void {
  const project = parts.options.projects.get(projectId)
  const refusal = project === undefined ? 404 : open(req, socket, head, project, parts)
  if (refusal !== undefined) refuseUpgrade(socket, refusal)
}

/** Answers with the status of the refusal where there is to be one. */
function open(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  project: Project,
  { options, tunnels, live }: UpgradeParts,
): Refusal | undefined {
  const { rawPath, query } = splitTarget(req.url ?? '')
  if (!isOwnOrigin(req) || !isEditorOf(req, project, query, options)) return 403
  if (!isWebSocket(req)) return 400
  // A client that breaks off is no error of anybody.
  socket.on('error', () => socket.destroy())
  if (rawPath === LIVE_PATH) return live === undefined ? 404 : live.open(req, socket, head, project.id)
  const session = sessionFor(req, project, options)
  if (session === undefined) return 404
  req.url = session.url
  return tunnels.open(req, socket, head, { project: project.id, socketPath: session.socket })
}
