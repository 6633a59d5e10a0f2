import type { Encoding } from '../model/artifact.ts'
import { sendMessage } from './answers.ts'
import type { GatewayOptions } from './gateway-options.ts'
import { NOTHING_HERE } from './refuse.ts'
import { serveSite } from './site.ts'
import type { SiteProfiles } from './site-profiles.ts'
import type { ViewerStatus } from './status-page/viewer-status.ts'
import type { Visit } from './visit.ts'
import { STATUS_PATH, sendStatus, sendWaitingPage, statusSource } from './waiting.ts'

export interface EnvSetParts {
  options: GatewayOptions
  profiles: SiteProfiles
  accepted(header: string | string[] | undefined): readonly Encoding[]
}

/** Answers at the origin of a project's env set, from the newest build that has it. */
export async function answerEnvSet(visit: Visit, name: string, parts: EnvSetParts): Promise<void> {
  const { req, res, project, path } = visit
  const { options } = parts
  const opened = await options.envSet(project.id, name)
  if (opened === undefined) return sendMessage(req, res, NO_ENV_SET)
  const isThere = typeof opened === 'object'
  const source = (): ViewerStatus | undefined => {
    const now = statusSource(visit, options)()
    return now && { ...now, ready: isThere, state: isThere ? 'ready' : 'building' }
  }
  // Asked for again and again rather than streamed: no event tells that a set is there.
  if (path === STATUS_PATH) return sendStatus(visit, undefined, source)
  if (path.startsWith('/.previewd/')) return sendMessage(req, res, NOTHING_HERE)
  if (opened === 'failed') return sendMessage(req, res, FAILED)
  const status = source()
  if (isThere) {
    return serveSite(visit, {
      artifact: opened,
      representations: parts.profiles.of(project.settings.visibility === 'private', false),
      accepted: parts.accepted(req.headers['accept-encoding']),
    })
  }
  if (status !== undefined) sendWaitingPage(visit, status, options)
}

const NO_ENV_SET = {
  status: 404,
  heading: 'No preview here',
  text: 'The project has no env set of this name.',
}

const FAILED = {
  status: 503,
  heading: 'The preview could not be built with these variables',
  text: 'Its build with this env set failed. The build log says why.',
}
