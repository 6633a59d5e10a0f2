import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Encoding } from '../../model/artifact.ts'
import type { Project } from '../../model/project.ts'
import { findEarlierAsset } from '../earlier-assets.ts'
import type { GatewayOptions } from '../gateway-options.ts'
import { isNavigation } from '../navigation.ts'
import { isReading } from '../refuse.ts'
import { decodePath, splitTarget } from '../request-path.ts'
import { sendFile } from '../send-file.ts'
import type { SiteProfiles } from '../site-profiles.ts'

/** Sends a file; undefined where there is none. */
export type FindFile = () => Promise<(() => Promise<void>) | undefined>

interface Parts {
  options: Pick<GatewayOptions, 'builds' | 'artifacts' | 'now'>
  profiles: SiteProfiles
  accepted(header: string | string[] | undefined): readonly Encoding[]
}

/**
 * Finds what a page of a build still asks for when the session has gone live under it: dev servers know nothing of the
 * assets of builds. Undefined for requests that are for no such thing.
 */
export function builtFile(
  req: IncomingMessage,
  res: ServerResponse,
  project: Project,
  { options, profiles, accepted }: Parts,
): FindFile | undefined {
  const path = decodePath(splitTarget(req.url ?? '').rawPath)
  if (path === undefined || !isReading(req) || isNavigation(req)) return undefined
  const encodings = accepted(req.headers['accept-encoding'])
  return async () => {
    const nowMs = options.now?.() ?? Date.now()
    const found = await findEarlierAsset(path, { id: project.id, published: '' }, { ...options, nowMs })
    const representations = profiles.of(project.settings.visibility === 'private', false)
    return found && (() => sendFile(req, res, { ...found, accepted: encodings, representations }))
  }
}
