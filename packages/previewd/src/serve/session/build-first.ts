import type { IncomingMessage } from 'node:http'
import type { Project } from '../../model/project.ts'
import type { GatewayOptions } from '../gateway-options.ts'
import { isNavigation } from '../navigation.ts'
import { decodePath, splitTarget } from '../request-path.ts'

/** In the address of a page that changes over; the client script takes it out before the app looks. */
const LIVE_MARK = /([?&])previewd_live=1(&|$)/

/**
 * Whether an editor who comes to a page gets the published build in place of the session: of the same revision, in a
 * fraction of the requests and bytes. Its client script changes over once it is on the screen. Who loads a page anew
 * gets the session at once: its modules are in the browser already.
 */
export function showsBuildFirst(
  req: IncomingMessage,
  { id, published, revision, settings }: Project,
  query: string,
  { builds, viewers }: Pick<GatewayOptions, 'builds' | 'viewers'>,
): boolean {
  if (req.method !== 'GET' || !isNavigation(req) || req.headers['cache-control'] !== undefined) return false
  if (viewers === undefined || !settings.instrument || LIVE_MARK.test(query)) return false
  const isCurrent = published !== undefined && published.revision === revision
  return isCurrent && builds.get(id, published.buildId)?.server === undefined
}

/** Whether a page of what is published may be asking, which must not wait for a dev server that starts behind it. */
export async function isInBuild(
  req: IncomingMessage,
  { id, published }: Project,
  { artifacts }: Pick<GatewayOptions, 'artifacts'>,
): Promise<boolean> {
  if (published === undefined) return false
  const path = decodePath(splitTarget(req.url ?? '').rawPath)
  const artifact = await artifacts.open(id, published.buildId).catch(() => undefined)
  return path !== undefined && artifact?.files.has(path.slice(1)) === true
}

export function withoutLiveMark(query: string): string {
  return query.replace(LIVE_MARK, (_, before: string, after: string) => (after === '' ? '' : before))
}
