import type { Agent } from 'node:http'
import type { AppServers, Reached } from '../../model/app-server.ts'
import { sendMessage } from '../answers.ts'
import { clientTag } from '../client/client-script.ts'
import type { GatewayOptions } from '../gateway-options.ts'
import { admission } from '../grant-cookie.ts'
import { isNavigation } from '../navigation.ts'
import { splitTarget } from '../request-path.ts'
import { askServer } from '../session/proxy.ts'
import type { Visit } from '../visit.ts'
import type { RequestsUnderWay } from './requests-under-way.ts'

/** A page shows that the server wakes when it has not answered by then, and asks again. */
const PAGE_WAIT_MS = 2000
/** Everything else has nobody who would see such a page. */
const WAIT_MS = 20_000

export interface AppVisit {
  buildId: string
  /** Undefined for the build that is published. */
  only?: boolean
  servers: AppServers
  agent: Agent
  underWay: RequestsUnderWay
  /** Of the pages of editors. */
  instrumentedRevision: number | undefined
}

/** Answers with what the server of a build says, which is woken for it. */
export async function answerFromApp(
  visit: Visit,
  { buildId, only = false, servers, agent, underWay, instrumentedRevision }: AppVisit,
  options: Pick<GatewayOptions, 'frameAncestors' | 'grants' | 'isOwnKey' | 'logger'>,
): Promise<void> {
  const { req, res, project } = visit
  if (!underWay.begin(project.id, res)) return sendMessage(req, res, FULL)
  const waitMs = isNavigation(req) ? PAGE_WAIT_MS : WAIT_MS
  const reached = await servers.reach(project.id, buildId, { waitMs, only })
  if (res.destroyed) return
  if (!('socket' in reached)) return sendMessage(req, res, whyNot(reached, visit.editor))
  const { rawPath, query } = splitTarget(req.url ?? '')
  const { offered } = admission(req, query, project.id, options.grants)
  const tag =
    instrumentedRevision !== undefined && isNavigation(req)
      ? clientTag('build', instrumentedRevision)
      : undefined
  const { visibility } = project.settings
  const server = {
    socket: reached.socket,
    url: rawPath + (offered?.cleanQuery ?? query),
    agent,
    tag,
    isPrivate: visibility === 'private',
  }
  const isAnswered = await askServer(req, res, { ...server, isOfSources: false }, options)
  if (!isAnswered) sendMessage(req, res, NO_ANSWER)
}

function whyNot(reached: Exclude<Reached, { socket: string }>, editor: boolean) {
  if (reached.unavailable === 'starting') return WAKES
  if (reached.unavailable === 'full') return FULL
  return { ...FAILED, ...(editor && { text: reached.reason }) }
}

const WAKES = {
  status: 503,
  heading: 'The app wakes up',
  text: 'Its server starts. This page asks again by itself.',
  headers: { 'Retry-After': '1', Refresh: '1' },
}
const FULL = {
  status: 503,
  heading: 'Too much is asked for',
  text: 'There is no room for this app now. This page asks again by itself.',
  headers: { 'Retry-After': '5', Refresh: '5' },
}
const FAILED = {
  status: 502,
  heading: 'The server of this app does not run',
  text: 'It ended when it was started. Its authors find the reason in the log of the project.',
  headers: { 'Retry-After': '5', Refresh: '5' },
}
const NO_ANSWER = {
  status: 502,
  heading: 'The server of this app does not answer',
  text: 'It may be starting anew. This page asks again by itself.',
  headers: { 'Retry-After': '1', Refresh: '1' },
}
