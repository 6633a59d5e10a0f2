import type { IncomingMessage, ServerResponse } from 'node:http'
import { admit } from '../admit.ts'
import { sendMessage, sendRedirect } from '../answers.ts'
import { findEarlierAsset } from '../earlier-assets.ts'
import { isNavigation } from '../navigation.ts'
import { type OriginParts, openPublished } from '../origin-preview.ts'
import { NO_PROJECT, NOTHING_HERE, refuseUnfit } from '../refuse.ts'
import { splitTarget } from '../request-path.ts'
import { serveSite } from '../site.ts'
import type { ViewerStatus } from '../status-page/viewer-status.ts'
import type { Visit } from '../visit.ts'
import { STATUS_PATH, sendStatus, sendWaitingPage, statusSource } from '../waiting.ts'
import type { PathProfileName } from './path-profiles.ts'
import { type PageParts, sendPage } from './send-page.ts'

export interface PathParts extends OriginParts, PageParts {}

/** `own` is the listener that same-origin mode has for itself; `shared` is the API's. */
export type PathListener = 'shared' | 'own'

/** Answers below `/preview/{id}`, in the mode that the operator chose. */
export async function answerAtPath(
  req: IncomingMessage,
  res: ServerResponse,
  listener: PathListener,
  parts: PathParts,
): Promise<void> {
  const { options } = parts
  const { rawPath, query } = splitTarget(req.url ?? '')
  const [, , id = ''] = rawPath.split('/', 3)
  const project = options.projects.get(id)
  if (project === undefined) return sendMessage(req, res, NO_PROJECT)
  const prefix = `/preview/${id}`
  if (rawPath === prefix) return sendRedirect(res, 308, `${prefix}/${query}`)
  if (parts.backends?.findBelow(rawPath.slice(prefix.length), project)) {
    // Pages at a path ask for `/api` at the top of a host that is not theirs alone, so that only the origin has it.
    if (options.pathMode !== 'redirect') return sendMessage(req, res, BACKEND_NEEDS_ORIGIN)
    return redirectToPreview(res, id, `${rawPath.slice(prefix.length + 1)}${query}`, parts)
  }
  const preflight = req.method === 'OPTIONS' && options.pathMode === 'sandboxed'
  if (preflight) return sendPreflight(res)
  const path = refuseUnfit(req, res, rawPath.slice(prefix.length))
  if (path === undefined) return
  const elsewhere = listener === 'shared' && options.pathMode !== 'sandboxed' && isNavigation(req)
  if (elsewhere) return redirectToPreview(res, id, `${rawPath.slice(prefix.length + 1)}${query}`, parts)
  const admitted = admit(req, res, project, { rawPath, query }, options)
  if (admitted === undefined) return
  const visit: Visit = { req, res, project, path, prefix, editor: admitted.editor }
  if (listener === 'own') return answerVariant(visit, 'same-origin', parts)
  return options.pathMode === 'sandboxed'
    ? answerVariant(visit, 'sandboxed', parts)
    : answerInPlace(visit, parts)
}

/** Browsers see previews at the origin that is made for them, whatever address they came by. */
function redirectToPreview(res: ServerResponse, id: string, rest: string, parts: PathParts): void {
  const { urls } = parts.options.status(id)
  const base = parts.options.pathMode === 'same-origin' ? urls.path : urls.preview
  sendRedirect(res, 307, `${base.endsWith('/') ? base : `${base}/`}${rest}`, {
    Vary: 'Sec-Fetch-Mode, Accept',
  })
}

/** For clients that are no pages: the published files as they are, which no browser would run. */
async function answerInPlace(visit: Visit, parts: PathParts): Promise<void> {
  if (visit.path === STATUS_PATH) return answerWaiting(visit, parts)
  if (visit.path.startsWith('/.previewd/')) return sendMessage(visit.req, visit.res, NOTHING_HERE)
  const artifact = await openPublished(visit, parts.options)
  if (artifact === undefined) return answerWaiting(visit, parts)
  await serveSite(visit, {
    artifact,
    representations: parts.pathProfiles.of('in-place', visit.project.settings.visibility === 'private'),
    accepted: parts.accepted(visit.req.headers['accept-encoding']),
  })
}

async function answerVariant(visit: Visit, name: PathProfileName, parts: PathParts): Promise<void> {
  const { req, res, project, path } = visit
  const isPrivate = project.settings.visibility === 'private'
  // An opaque origin has no cookies, so that the page's own scripts could not be told from a stranger's requests.
  if (isPrivate && name === 'sandboxed') return sendMessage(req, res, PRIVATE_NEEDS_ORIGIN)
  if (path.startsWith('/.previewd/') && path !== STATUS_PATH) return sendMessage(req, res, NOTHING_HERE)
  if (project.published === undefined) return answerWaiting(visit, parts)
  const { buildId } = project.published
  const variant = await parts.options.variant(project.id, buildId)
  if (variant === 'building') return answerWaiting(visit, parts, { state: 'building', ready: false })
  // Also where it failed: a page that waits comes again, and is told.
  if (path === STATUS_PATH) return answerWaiting(visit, parts, { state: 'ready', ready: true })
  if (variant === 'failed') return sendMessage(req, res, VARIANT_FAILED)
  const suffix = variant.buildId.startsWith(buildId) ? variant.buildId.slice(buildId.length) : ''
  await serveSite(visit, {
    artifact: variant,
    representations: parts.pathProfiles.of(name, isPrivate),
    accepted: parts.accepted(req.headers['accept-encoding']),
    sendPage: (entry, status) =>
      sendPage(visit, { artifact: variant, entry, status, name, isPrivate }, parts),
    findElsewhere: (missing) =>
      findEarlierAsset(
        missing,
        { id: project.id, published: buildId, suffix },
        { ...parts.options, nowMs: parts.options.now?.() ?? Date.now() },
      ),
  })
}

function answerWaiting(visit: Visit, parts: PathParts, known?: Pick<ViewerStatus, 'state' | 'ready'>): void {
  const { options, streams } = parts
  const source = statusSource(visit, options)
  const status = (): ViewerStatus | undefined => {
    const now = source()
    return now === undefined ? undefined : { ...now, ...known }
  }
  // Only polling asks for the variant each time; a stream would not learn when it is there.
  const statusStreams = known === undefined ? streams : undefined
  const now = status()
  if (visit.path === STATUS_PATH) sendStatus(visit, statusStreams, status)
  else if (now === undefined) sendMessage(visit.req, visit.res, NO_PROJECT)
  else sendWaitingPage(visit, now, options)
}

function sendPreflight(res: ServerResponse): void {
  res.writeHead(204, {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Methods': 'GET, HEAD',
    'Access-Control-Allow-Headers': '*',
    'Access-Control-Max-Age': '600',
  })
  res.end()
}

const PRIVATE_NEEDS_ORIGIN = {
  status: 403,
  heading: 'This private preview needs an address of its own',
  text: 'Private previews are shown below a name of their own only. Whoever runs this server can set up a preview domain.',
}

const BACKEND_NEEDS_ORIGIN = {
  status: 404,
  heading: "The back end is at the preview's own address",
  text: 'Requests reach the back end of a project below a name of its own only, not by a path of this server.',
}

const VARIANT_FAILED = {
  status: 503,
  heading: 'The preview could not be built for this address',
  text: 'Its build for a path of this server failed. The build log says why.',
}
