import { PreviewdError } from '../errors.ts'
import type { Failure } from './retry.ts'

/** What is known of a request that failed. Nothing of it is a credential, or an address with one in it. */
interface FailedRequest {
  service: string
  /** What was asked for, e.g. `container projects`. */
  place: string
  timeoutMs: number
  /** Undefined where there was no answer. */
  status?: number | undefined
  /** The service's own name of the error, e.g. `AuthenticationFailed`. */
  reason?: string | undefined
  retryAfter?: string | undefined
}

const PASSING: ReadonlySet<number> = new Set([408, 409, 429, 500, 502, 503, 504])
const NAME = /^[\w.-]{1,80}$/

/** Turns what an SDK threw into the error that is told, in words of our own: theirs may hold signed addresses. */
export function judgeAnswer(thrown: unknown, request: FailedRequest): Failure {
  if (thrown instanceof PreviewdError) return { error: thrown, mayPass: false }
  const { service, place, status } = request
  const reason = request.reason !== undefined && NAME.test(request.reason) ? request.reason : undefined
  if (status === undefined) return judgeSilence(thrown, request, reason)
  const said = `${service} answered ${status}${reason ? ` ${reason}` : ''} for ${place}.`
  if (status === 401 || status === 403) {
    return { error: new PreviewdError('SOURCE_DENIED', said), mayPass: false }
  }
  if (status === 404) return { error: new PreviewdError('SOURCE_NOT_FOUND', said), mayPass: false }
  const seconds = Number(request.retryAfter)
  return {
    error: unreachable(said),
    mayPass: PASSING.has(status),
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
  }
}

/** There was no answer: the network, a time that was over, or no credential to ask with. */
function judgeSilence(thrown: unknown, request: FailedRequest, reason: string | undefined): Failure {
  const { service, timeoutMs } = request
  const { name = '', code, message } = thrown as { name?: string; code?: unknown; message?: string }
  if (/credential|authentication/i.test(name)) {
    const error = new PreviewdError(
      'SOURCE_DENIED',
      `This server has no credential for ${service} (${name}).`,
    )
    return { error, mayPass: false }
  }
  if (message === 'Region is missing') {
    return { error: unreachable(`${service} has no region: set PREVIEWD_S3_REGION.`), mayPass: false }
  }
  const isOver = name === 'AbortError' || name === 'TimeoutError'
  const known = typeof code === 'string' && NAME.test(code) ? code : (reason ?? 'the connection failed')
  const why = isOver ? `it did not answer in ${timeoutMs} ms` : known
  return { error: unreachable(`${service} could not be reached: ${why}.`), mayPass: true }
}

function unreachable(detail: string): PreviewdError {
  return new PreviewdError('SOURCE_UNREACHABLE', detail)
}
