import { sendOwn } from './answers.ts'
import type { GatewayOptions } from './gateway-options.ts'
import { acceptsPage, isNavigation } from './navigation.ts'
import { PAGE_POLICY, renderStatusPage } from './status-page/page.ts'
import { renderStatus } from './status-page/view.ts'
import { toViewerStatus, type ViewerStatus } from './status-page/viewer-status.ts'
import type { StatusStreams } from './status-stream.ts'
import type { Visit } from './visit.ts'

/** Where the waiting page hears of the project; below a path that every preview reserves. */
export const STATUS_PATH = '/.previewd/status'

/** Between questions for a status that cannot be streamed. */
const PAUSE_MS = 1500

/** A status as this viewer sees it; undefined once there is something else at the address than waiting. */
export type ViewerStatusSource = () => ViewerStatus | undefined

/** Answers with the page that shows progress: 200 for people, 503 for everything that would take it for the app. */
export function sendWaitingPage(
  visit: Visit,
  status: ViewerStatus,
  options: Pick<GatewayOptions, 'frameAncestors'>,
): void {
  const { req, res, prefix } = visit
  const view = renderStatus(status)
  const page = acceptsPage(req)
  const body = page ? renderStatusPage(view, `${prefix}${STATUS_PATH}`) : `${view.heading}.\n`
  const ancestors =
    options.frameAncestors.length === 0 ? '' : `; frame-ancestors ${options.frameAncestors.join(' ')}`
  sendOwn(req, res, isNavigation(req) ? 200 : 503, body, {
    'Content-Type': page ? 'text/html; charset=utf-8' : 'text/plain; charset=utf-8',
    ...(page && { 'Content-Security-Policy': PAGE_POLICY + ancestors }),
    ...(!isNavigation(req) && { 'Retry-After': '2' }),
  })
}

/** Answers the status address: an event stream for who asks for one, else the update as it is now. */
export function sendStatus(
  visit: Visit,
  streams: StatusStreams | undefined,
  source: ViewerStatusSource,
): void {
  const { req, res, project } = visit
  const current = (): string => JSON.stringify(toUpdate(source()))
  const wantsStream = req.method === 'GET' && req.headers.accept?.includes('text/event-stream') === true
  if (wantsStream && streams?.open(res, project.id, current)) return
  // A stream that ends at once is asked for again after the pause that it names.
  const body = wantsStream ? `retry: ${PAUSE_MS}\ndata: ${current()}\n\n` : current()
  const type = wantsStream ? 'text/event-stream' : 'application/json'
  sendOwn(req, res, 200, body, { 'Content-Type': `${type}; charset=utf-8` })
}

/** What the page's script reads. */
function toUpdate(status: ViewerStatus | undefined): object {
  if (status === undefined) return { ready: true }
  return { ready: status.ready, state: status.state, revision: status.revision, ...renderStatus(status) }
}

export function statusSource(
  visit: Visit,
  options: Pick<GatewayOptions, 'projects' | 'status' | 'sessions'>,
): ViewerStatusSource {
  const { id } = visit.project
  return () => {
    if (options.projects.get(id) === undefined) return undefined
    const status = toViewerStatus(options.status(id), visit.editor)
    const hasSession = visit.editor && options.sessions?.view(id).state === 'live'
    return hasSession ? { ...status, ready: true } : status
  }
}
