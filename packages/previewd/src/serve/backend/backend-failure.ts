import type { IncomingMessage, ServerResponse } from 'node:http'
import { type ErrorCode, PreviewdError } from '../../errors.ts'
import { UnresolvedHost } from '../../lib/resolve-host.ts'
import { toProblem } from '../../model/problem.ts'
import type { ProxyRule } from '../../model/proxy-rules.ts'
import { sendMessage, sendOwn } from '../answers.ts'
import { isNavigation } from '../navigation.ts'
import { RefusedAddress } from './connect-backend.ts'

/** Why a request got no answer of the back end. `what` goes behind "which": it ends a sentence that names the target. */
export class BackendFailure extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, what: string, cause?: unknown) {
    super(what, { cause })
    this.code = code
  }
}

const HEADINGS: Partial<Record<ErrorCode, string>> = {
  BACKEND_TIMEOUT: 'The back end takes too long',
  BACKEND_NOT_ALLOWED: 'The back end may not be reached',
  PAYLOAD_TOO_LARGE: 'The request is too large',
  OVERLOADED: 'Too many requests at once',
}

/**
 * Answers in place of the back end, naming the prefix, the target and what went wrong: as a page for navigations, as a
 * problem for everything else.
 */
export function sendBackendFailure(
  req: IncomingMessage,
  res: ServerResponse,
  { prefix, target }: ProxyRule,
  { code, message }: BackendFailure,
): void {
  const extra = { prefix, target: target.origin }
  const detail = `Requests below ${prefix} go to ${target.origin}, which ${message}.`
  const error = new PreviewdError(code, detail, { extra })
  // What is left of the body is not waited for.
  if (!req.complete) res.shouldKeepAlive = false
  const retry = code === 'OVERLOADED' ? { 'Retry-After': '1' } : {}
  if (isNavigation(req)) {
    const heading = HEADINGS[code] ?? 'The back end does not answer'
    sendMessage(req, res, { status: error.status, heading, text: detail, headers: retry })
    return
  }
  sendOwn(req, res, error.status, JSON.stringify(toProblem(error)), {
    'Content-Type': 'application/problem+json; charset=utf-8',
    ...retry,
  })
}

/** What an error of a connection means to who wrote the app. */
export function toBackendFailure(error: unknown): BackendFailure {
  if (error instanceof BackendFailure) return error
  if (error instanceof RefusedAddress) return new BackendFailure('BACKEND_NOT_ALLOWED', error.message)
  if (error instanceof UnresolvedHost) return unreachable('has a name that could not be resolved', error)
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ECONNREFUSED') return unreachable('refuses connections: nothing listens there', error)
  if (code === 'ETIMEDOUT')
    return new BackendFailure('BACKEND_TIMEOUT', 'did not accept the connection in time', error)
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return unreachable('broke off the connection before it answered', error)
  }
  if (code.startsWith('HPE_')) return unreachable('answered with something that is no HTTP', error)
  if (/^(?:ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|EPROTO)/.test(code)) {
    return unreachable(`could not be reached over TLS (${code})`, error)
  }
  return unreachable('could not be reached', error)
}

function unreachable(what: string, cause: unknown): BackendFailure {
  return new BackendFailure('BACKEND_UNREACHABLE', what, cause)
}
