import type { Agent, IncomingMessage, ServerResponse } from 'node:http'
import type { Artifact, Encoding } from '../model/artifact.ts'
import { admit } from './admit.ts'
import { sendMessage } from './answers.ts'
import { type AppVisit, answerFromApp } from './app/answer-from-app.ts'
import type { RequestsUnderWay } from './app/requests-under-way.ts'
import type { Backends } from './backend/backends.ts'
import { CLIENT_PATH, sendClientScript } from './client/client-script.ts'
import { findEarlierAsset } from './earlier-assets.ts'
import { answerEnvSet } from './env-set-preview.ts'
import type { GatewayOptions } from './gateway-options.ts'
import { sendInstrumentedPage } from './instrumented-page.ts'
import { isReading, NO_PAGE_YET, NO_PROJECT, NOTHING_HERE, refuseUnfit } from './refuse.ts'
import { splitTarget } from './request-path.ts'
import { resolveFile } from './resolve-file.ts'
import { answerAsSession } from './session/answer.ts'
import { builtFile } from './session/built-file.ts'
import type { CompressedAnswers } from './session/compressed-answers.ts'
import { sessionUrl } from './session/editor-session.ts'
import type { PagePatience } from './session/page-patience.ts'
import { serveSite } from './site.ts'
import type { SiteProfiles } from './site-profiles.ts'
import { toBuildViewerStatus } from './status-page/viewer-status.ts'
import type { StatusStreams } from './status-stream.ts'
import type { Visit } from './visit.ts'
import { STATUS_PATH, sendStatus, sendWaitingPage, statusSource } from './waiting.ts'

export interface OriginParts {
  options: GatewayOptions
  profiles: SiteProfiles
  streams: StatusStreams
  sessionAgent: Agent
  patience: PagePatience
  compressed: CompressedAnswers
  appRequests: RequestsUnderWay
  backends: Backends | undefined
  accepted(header: string | string[] | undefined): readonly Encoding[]
}

/**
 * Answers at the origin of a project, from a back end, its session or with what is published, or at the origin of one
 * build or env set.
 */
export async function answerAtOrigin(
  req: IncomingMessage,
  res: ServerResponse,
  target: { project: string; buildId?: string; envSet?: string },
  parts: OriginParts,
): Promise<void> {
  const project = parts.options.projects.get(target.project)
  if (project === undefined) return sendMessage(req, res, NO_PROJECT)
  const backend = parts.backends?.find(req, project)
  if (parts.backends && backend) return parts.backends.answer(req, res, project, backend)
  const isLive = target.buildId === undefined && target.envSet === undefined
  const url = isLive ? sessionUrl(req, project, parts.options) : undefined
  const asked =
    url === undefined
      ? undefined
      : {
          project,
          url,
          agent: parts.sessionAgent,
          patience: parts.patience,
          compressed: parts.compressed,
          findBuilt: builtFile(req, res, project, parts),
        }
  if (asked !== undefined && (await answerAsSession(req, res, asked, parts.options))) return
  const { rawPath, query } = splitTarget(req.url ?? '')
  const path = refuseUnfit(req, res, rawPath, () => {
    const buildId = target.buildId ?? (isLive ? project.published?.buildId : undefined)
    return buildId !== undefined && hasServer(project.id, buildId, parts.options)
  })
  if (path === undefined) return
  const admitted = admit(req, res, project, { rawPath, query }, parts.options)
  if (admitted === undefined) return
  const visit: Visit = { req, res, project, path, prefix: '', editor: admitted.editor }
  if (target.envSet !== undefined) return answerEnvSet(visit, target.envSet, parts)
  return target.buildId === undefined
    ? answerPublished(visit, parts)
    : answerBuild(visit, target.buildId, parts)
}

async function answerPublished(visit: Visit, parts: OriginParts): Promise<void> {
  const { options } = parts
  if (visit.path.startsWith('/.previewd/')) {
    if (visit.path === STATUS_PATH) return sendStatus(visit, parts.streams, statusSource(visit, options))
    if (visit.path === CLIENT_PATH) return sendClientScript(visit)
    return sendMessage(visit.req, visit.res, NOTHING_HERE)
  }
  const opened = await openPublished(visit, options)
  if (opened === undefined) {
    const status = statusSource(visit, options)()
    if (status === undefined) sendMessage(visit.req, visit.res, NO_PROJECT)
    else sendWaitingPage(visit, status, options)
    return
  }
  const isPrivate = visit.project.settings.visibility === 'private'
  const representations = parts.profiles.of(isPrivate, false)
  const isInstrumented = visit.editor && visit.project.settings.instrument && options.viewers !== undefined
  const instrumentedRevision = isInstrumented ? visit.project.published?.revision : undefined
  if (await answeredByServer(visit, opened, { instrumentedRevision }, parts)) return
  await serveSite(visit, {
    artifact: opened,
    representations,
    ...(isInstrumented && {
      missing: NO_PAGE_YET,
      sendPage: (entry, status) =>
        sendInstrumentedPage(visit, { artifact: opened, entry, status, representations }),
    }),
    accepted: parts.accepted(visit.req.headers['accept-encoding']),
    findElsewhere: (path) =>
      findEarlierAsset(
        path,
        { id: visit.project.id, published: opened.buildId },
        { ...options, nowMs: options.now?.() ?? Date.now() },
      ),
  })
}

/** Opens what is published; once more where another build was published, and the old one removed, meanwhile. */
export async function openPublished(
  visit: Visit,
  options: Pick<GatewayOptions, 'projects' | 'artifacts'>,
): Promise<Artifact | undefined> {
  const { published, id } = visit.project
  if (published === undefined) return undefined
  try {
    return await options.artifacts.open(id, published.buildId)
  } catch (error) {
    const now = options.projects.get(id)?.published
    if (now === undefined || now.buildId === published.buildId) throw error
    return options.artifacts.open(id, now.buildId)
  }
}

async function answerBuild(visit: Visit, buildId: string, parts: OriginParts): Promise<void> {
  const { req, res, project } = visit
  const { options } = parts
  const find = (): ReturnType<typeof options.builds.get> => options.builds.get(project.id, buildId)
  const build = find()
  if (build === undefined) return sendMessage(req, res, NO_BUILD)
  if (visit.path.startsWith('/.previewd/')) {
    if (visit.path !== STATUS_PATH) return sendMessage(req, res, NOTHING_HERE)
    return sendStatus(visit, parts.streams, () => {
      const current = find()
      return current && toBuildViewerStatus(current, visit.editor)
    })
  }
  if (build.state !== 'succeeded') {
    return sendWaitingPage(visit, toBuildViewerStatus(build, visit.editor), options)
  }
  const artifact = await options.artifacts.open(project.id, buildId)
  if (await answeredByServer(visit, artifact, { only: true, instrumentedRevision: undefined }, parts)) return
  await serveSite(visit, {
    artifact,
    representations: parts.profiles.of(project.settings.visibility === 'private', true),
    accepted: parts.accepted(req.headers['accept-encoding']),
  })
}

/** Answers what is no file of a build that left a server, unless it is a file of an earlier build that open pages need. */
async function answeredByServer(
  visit: Visit,
  artifact: Artifact,
  how: Pick<AppVisit, 'only' | 'instrumentedRevision'>,
  { options, sessionAgent: agent, appRequests: underWay }: OriginParts,
): Promise<boolean> {
  const { req, path, project } = visit
  const { appServers: servers } = options
  const { buildId } = artifact
  const isFile =
    isReading(req) && resolveFile(artifact.files, path, { spa: false, navigation: false }).kind === 'file'
  if (isFile || servers === undefined || !hasServer(project.id, buildId, options)) return false
  const nowMs = options.now?.() ?? Date.now()
  if (await findEarlierAsset(path, { id: project.id, published: buildId }, { ...options, nowMs }))
    return false
  await answerFromApp(visit, { ...how, buildId, servers, agent, underWay }, options)
  return true
}

function hasServer(project: string, buildId: string, { builds }: Pick<GatewayOptions, 'builds'>): boolean {
  return builds.get(project, buildId)?.server !== undefined
}

const NO_BUILD = {
  status: 404,
  heading: 'This build does not exist',
  text: 'It may have been removed: only the newest builds of a project are kept.',
}
