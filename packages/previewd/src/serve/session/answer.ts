import type { Agent, IncomingMessage, ServerResponse } from 'node:http'
import type { Project } from '../../model/project.ts'
import type { GatewayOptions } from '../gateway-options.ts'
import { isNavigation } from '../navigation.ts'
import { splitTarget } from '../request-path.ts'
import { answerPage, isPageToAskAgain } from './answer-page.ts'
import { isInBuild, showsBuildFirst } from './build-first.ts'
import type { FindFile } from './built-file.ts'
import type { CompressedAnswers } from './compressed-answers.ts'
import type { PagePatience } from './page-patience.ts'
import { toPageRequest } from './page-requests.ts'
import { answerFromSession } from './proxy.ts'
import { sendRecorded } from './recorded.ts'

export interface AskedOfSession {
  project: Project
  url: string
  agent: Agent
  patience: PagePatience
  compressed: CompressedAnswers
  /** Where the dev server has not got what is asked for. */
  findBuilt: FindFile | undefined
}

/**
 * Answers a request of an editor from the session: from its last page while that is what the session would show, else
 * from its dev server. False where there is no session to answer it, or the published build shows the same sooner. For a page,
 * a session that sleeps wakes.
 */
export async function answerAsSession(
  req: IncomingMessage,
  res: ServerResponse,
  { project, url, agent, patience, compressed, findBuilt }: AskedOfSession,
  options: GatewayOptions,
): Promise<boolean> {
  const { sessions, requests } = options
  if (isNavigation(req)) options.wake?.(project.id)
  const { query } = splitTarget(req.url ?? '')
  if (sessions === undefined || showsBuildFirst(req, project, query, options)) return false
  const { instrument } = project.settings
  const request = toPageRequest(req, url)
  const noteIn = (generation: string) => (isThere: boolean) => {
    if (request === undefined) return
    if (isThere) requests?.note(project.id, request, generation)
    else requests?.drop(project.id, request)
  }
  const kept = await sessions.recorded(project.id)
  // It would stay blank for as long as the session wakes; what is published does not, even where that is older.
  const isBlank = kept?.isWhole === false && sessions.address(project.id) === undefined
  const isOfBuild = isBlank && (isNavigation(req) || (await isInBuild(req, project, options)))
  const recorded = isOfBuild ? undefined : kept
  const answer = request && (await recorded?.find(request))
  if (recorded !== undefined && answer !== undefined) {
    const { revision, generation, modules } = recorded
    noteIn(generation)(true)
    await sendRecorded(req, res, { answer, revision, generation, instrument, modules }, options)
    return true
  }
  // A page that is shown already gets the rest of it as soon as the dev server answers; the build's is there.
  const isPart = recorded !== undefined && !isNavigation(req)
  const isBuilt = isPart && project.published?.revision === project.revision
  if (isBuilt && (await isInBuild(req, project, options))) return false
  const address = isPart ? await sessions.untilLive(project.id) : sessions.address(project.id)
  if (address === undefined) return false
  const { generation } = address
  const modules = (isNavigation(req) && requests?.modules(project.id, generation)) || []
  const note = noteIn(generation)
  const answers = compressed.of(project.id)
  const session = { ...address, url, agent, findBuilt, instrument, modules, answers, note }
  if (isPageToAskAgain(req))
    await answerPage(req, res, session, { ...options, sessions, patience, project: project.id })
  else await answerFromSession(req, res, session, options)
  return true
}
