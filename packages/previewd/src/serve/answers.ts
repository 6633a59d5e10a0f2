import type { IncomingMessage, ServerResponse } from 'node:http'
import { isNavigation } from './navigation.ts'
import { PAGE_POLICY, renderMessagePage } from './status-page/page.ts'

/** Headers of every answer that the gateway words itself. */
export const OWN_HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'X-Robots-Tag': 'noindex',
  'Referrer-Policy': 'no-referrer',
} as const

/** Answers with a heading and a sentence: as a page for navigations, as a line of text for everything else. */
export function sendMessage(
  req: IncomingMessage,
  res: ServerResponse,
  answer: { status: number; heading: string; text: string; headers?: Record<string, string> },
): void {
  const page = isNavigation(req)
  const body = page ? renderMessagePage(answer.heading, answer.text) : `${answer.heading}. ${answer.text}\n`
  sendOwn(req, res, answer.status, body, {
    'Content-Type': page ? 'text/html; charset=utf-8' : 'text/plain; charset=utf-8',
    ...(page && { 'Content-Security-Policy': PAGE_POLICY }),
    ...answer.headers,
  })
}

/** Sends a body that the gateway made, never to be kept by a cache. */
export function sendOwn(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string>,
): void {
  res.writeHead(status, { ...OWN_HEADERS, 'Content-Length': Buffer.byteLength(body), ...headers })
  res.end(req.method === 'HEAD' ? undefined : body)
}

/** A redirect that no cache keeps. `location` must not come from a client undecoded. */
export function sendRedirect(
  res: ServerResponse,
  status: 303 | 307 | 308,
  location: string,
  headers: Record<string, string> = {},
): void {
  res.writeHead(status, { ...OWN_HEADERS, Location: location, 'Content-Length': 0, ...headers }).end()
}
