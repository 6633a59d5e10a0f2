import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SessionAddress, Sessions } from '../../model/session.ts'
import type { GatewayOptions } from '../gateway-options.ts'
import { isNavigation } from '../navigation.ts'
import type { PagePatience } from './page-patience.ts'
import { askSession, type ProxiedSession, sendNoAnswer } from './proxy.ts'

const MAX_ASKED = 5

export interface PageOptions
  extends Pick<GatewayOptions, 'events' | 'frameAncestors' | 'isOwnKey' | 'logger'> {
  project: string
  patience: PagePatience
  sessions: Pick<Sessions, 'address'>
}

/** A navigation that can be asked for twice: it has no body, and changes nothing. */
export function isPageToAskAgain(req: IncomingMessage): boolean {
  const { method, headers } = req
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
  return (method === 'GET' || method === 'HEAD') && !hasBody && isNavigation(req)
}

/**
 * Answers a navigation. A dev server that took the question may never answer it: then the viewer gets a page that asks
 * again; and where another one has taken its place, or it has restarted, that one is asked at once.
 */
export async function answerPage(
  req: IncomingMessage,
  res: ServerResponse,
  session: ProxiedSession,
  { project, sessions, events, patience, ...options }: PageOptions,
): Promise<void> {
  const late = AbortSignal.timeout(patience.timeoutMs(project))
  let asked: SessionAddress | undefined = session
  for (let count = 0; asked !== undefined && count < MAX_ASKED && !late.aborted; count++) {
    const { socket, generation }: SessionAddress = asked
    const next = (): SessionAddress | undefined => {
      const now = sessions.address(project)
      return now?.socket === socket && now.generation === generation ? undefined : now
    }
    const moved = new AbortController()
    const stopListening = events.listen((event) => {
      if (event.project === project && event.type === 'session' && next() !== undefined) moved.abort()
    })
    const signal = AbortSignal.any([late, moved.signal])
    const isAnswered = await askSession(req, res, { ...session, ...asked }, options, signal)
    stopListening()
    if (res.headersSent) patience.answered(project)
    if (isAnswered) return
    asked = next()
  }
  if (late.aborted) patience.exhausted(project)
  sendNoAnswer(req, res)
}
