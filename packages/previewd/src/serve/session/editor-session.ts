import type { IncomingMessage } from 'node:http'
import type { Project } from '../../model/project.ts'
import type { GatewayOptions } from '../gateway-options.ts'
import { admission } from '../grant-cookie.ts'
import { isNavigation } from '../navigation.ts'
import { isOfForeignPage } from '../own-origin.ts'
import { decodePath, splitTarget } from '../request-path.ts'
import { withoutLiveMark } from './build-first.ts'

export function isEditorOf(
  req: IncomingMessage,
  project: Project,
  query: string,
  options: Pick<GatewayOptions, 'grants' | 'isEditor'>,
): boolean {
  return admission(req, query, project.id, options.grants).role === 'editor' || options.isEditor(req)
}

/**
 * What a session would be asked for in place of the published build, as project code may see it: an editor asks, for
 * something that is the app's.
 */
export function sessionUrl(
  req: IncomingMessage,
  project: Project,
  options: Pick<GatewayOptions, 'grants' | 'isEditor'>,
): string | undefined {
  const { rawPath, query } = splitTarget(req.url ?? '')
  // Project code decodes as it likes; what is ours is so in every spelling.
  const path = decodePath(rawPath) ?? rawPath
  if (!rawPath.startsWith('/') || /^\/+\.previewd(?:\/|$)/i.test(path)) return undefined
  if (req.headers['service-worker'] !== undefined || isOfForeignPage(req)) return undefined
  const { role, offered } = admission(req, query, project.id, options.grants)
  if (role !== 'editor' && !options.isEditor(req)) return undefined
  // The grant leaves the address first.
  if (offered !== undefined && isNavigation(req)) return undefined
  return rawPath + withoutLiveMark(offered?.cleanQuery ?? query)
}
