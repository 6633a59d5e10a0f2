import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Project } from '../model/project.ts'
import { sendMessage, sendRedirect } from './answers.ts'
import type { GatewayOptions } from './gateway-options.ts'
import { admission, grantCookie } from './grant-cookie.ts'
import { isNavigation } from './navigation.ts'

/**
 * Decides whether a request may see a project. Undefined where it was answered here: a grant in the address becomes a
 * cookie and leaves the address, and who has no right to a private project is told so.
 */
export function admit(
  req: IncomingMessage,
  res: ServerResponse,
  project: Project,
  address: { rawPath: string; query: string },
  options: Pick<GatewayOptions, 'grants' | 'isEditor'>,
): { editor: boolean } | undefined {
  const { role, offered } = admission(req, address.query, project.id, options.grants)
  const editor = role === 'editor' || options.isEditor(req)
  const allowed = project.settings.visibility === 'public' || role !== undefined || editor
  if (!allowed) {
    sendMessage(req, res, PRIVATE)
    return undefined
  }
  if (offered !== undefined && isNavigation(req)) {
    const cookie = offered.role === undefined ? {} : { 'Set-Cookie': grantCookie(project.id, offered.token) }
    sendRedirect(res, 303, `${sameOriginPath(address.rawPath)}${offered.cleanQuery}`, cookie)
    return undefined
  }
  return { editor }
}

/** `//host/` at the start of a location would name another origin. */
function sameOriginPath(rawPath: string): string {
  return rawPath.replace(/^\/+/, '/')
}

const PRIVATE = {
  status: 401,
  heading: 'This preview is private',
  text: 'Open it with the link that its owner made for you. If you did, the link has expired: ask for a new one.',
}
