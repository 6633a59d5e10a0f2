import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendMessage } from './answers.ts'
import { decodePath, hasHiddenSegment } from './request-path.ts'

export const NO_PROJECT = {
  status: 404,
  heading: 'No preview here',
  text: 'There is no project of this name. Look at the address once more, or ask whoever gave it to you.',
}

export const NOTHING_HERE = {
  status: 404,
  heading: 'Nothing at this address',
  text: 'The preview has no file and no page here.',
}

/** For who sees the project while it is written. */
export const NO_PAGE_YET = {
  status: 404,
  heading: 'There is no page here yet',
  text: 'It may still be on its way. This page asks again by itself.',
  headers: { Refresh: '1' },
}

const MALFORMED = {
  status: 400,
  heading: 'The address is malformed',
  text: 'It is not one that a browser would send.',
}

export const NO_SERVICE_WORKERS = {
  status: 403,
  heading: 'No service workers here',
  text: 'A service worker would keep showing an old build, so previews do not serve its script.',
}

const READ_ONLY = {
  status: 405,
  heading: 'Only GET and HEAD',
  text: 'A preview serves files and takes none.',
  headers: { Allow: 'GET, HEAD' },
}

/**
 * Refuses what no preview answers, and returns the decoded path of what is left. Files whose name begins with a dot
 * are as good as absent: in static projects they are `.env` and `.git`. `takesAnyMethod`: a server answers, not files.
 */
export function refuseUnfit(
  req: IncomingMessage,
  res: ServerResponse,
  rawPath: string,
  takesAnyMethod: () => boolean = () => false,
): string | undefined {
  const path = decodePath(rawPath)
  const refusal = path === undefined ? MALFORMED : refusalOf(req, path, takesAnyMethod)
  if (refusal === undefined) return path
  sendMessage(req, res, refusal)
  return undefined
}

function refusalOf(
  req: IncomingMessage,
  path: string,
  takesAnyMethod: () => boolean,
): Parameters<typeof sendMessage>[2] | undefined {
  if (req.headers['service-worker'] !== undefined) return NO_SERVICE_WORKERS
  if (!isReading(req) && !(takesAnyMethod() && !path.startsWith('/.previewd/'))) return READ_ONLY
  return hasHiddenSegment(path) && !path.startsWith('/.previewd/') ? NOTHING_HERE : undefined
}

export function isReading({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD'
}
