import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { type ErrorCode, PreviewdError } from '../errors.ts'
import { toProblem } from '../model/problem.ts'

const FRAMEWORK_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_CTP_INVALID_JSON_BODY: 'INVALID_JSON',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'INVALID_JSON',
  FST_ERR_NOT_FOUND: 'NOT_FOUND',
  FST_ERR_MAX_PARAM_LENGTH: 'NOT_FOUND',
}

const RETRY_AFTER_SECONDS: Partial<Record<ErrorCode, number>> = {
  QUEUE_FULL: 5,
  RATE_LIMITED: 1,
  OVERLOADED: 1,
  SHUTTING_DOWN: 5,
  SANDBOX_UNAVAILABLE: 30,
}

/** What the operator has to look into; the other codes from 500 up are answers that were meant. */
const SERVER_FAILURES: ReadonlySet<ErrorCode> = new Set(['INTERNAL', 'STORAGE_FAILED', 'STORAGE_FULL'])

/** The error as the caller sees it: anything that is not known becomes INTERNAL and says nothing of the cause. */
export function toPreviewdError(error: unknown, invalidBody: ErrorCode = 'BAD_REQUEST'): PreviewdError {
  if (error instanceof PreviewdError) return error
  if (hasZodFastifySchemaValidationErrors(error)) return fromValidation(error, invalidBody)
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    const code = FRAMEWORK_CODES[error.code]
    if (code) return new PreviewdError(code, `${error.message}.`, { cause: error })
    const { statusCode } = error as FastifyError
    if (statusCode && statusCode >= 400 && statusCode < 500) {
      return new PreviewdError('BAD_REQUEST', `${error.message}.`, { cause: error })
    }
  }
  return new PreviewdError('INTERNAL', 'The server failed; its log has the cause.', { cause: error })
}

function fromValidation(
  error: Parameters<typeof toIssues>[0] & { validationContext?: string | undefined },
  invalidBody: ErrorCode,
): PreviewdError {
  const issues = toIssues(error)
  const where = error.validationContext ?? 'request'
  const [first] = issues
  if (where === 'params' && first?.path === 'id') {
    return new PreviewdError('INVALID_PROJECT_ID', first.message)
  }
  const detail = first ? `${where}${first.path && ` ${first.path}`}: ${first.message}` : `Invalid ${where}`
  return new PreviewdError(where === 'body' ? invalidBody : 'BAD_REQUEST', detail, {
    extra: { errors: issues },
  })
}

function toIssues(error: { validation: { instancePath: string; message?: string | undefined }[] }) {
  return error.validation.slice(0, 20).map((issue) => ({
    path: issue.instancePath.slice(1).replaceAll('/', '.'),
    message: issue.message ?? 'is not valid',
  }))
}

/** Answers with the problem; failures of the server are logged with their cause. */
export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  error: PreviewdError,
): FastifyReply {
  if (SERVER_FAILURES.has(error.code)) {
    request.log.error({ err: error.cause ?? error, code: error.code }, error.message)
  }
  const retryAfter = RETRY_AFTER_SECONDS[error.code]
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  if (error.code === 'UNAUTHORIZED') reply.header('www-authenticate', 'Bearer realm="previewd"')
  const { legacy } = request.routeOptions.config
  const problem = toProblem(error)
  return reply
    .code(error.status)
    .type('application/problem+json; charset=utf-8')
    .serializer((body: unknown) => JSON.stringify(body))
    .send(legacy ? { ...problem, error: error.message } : problem)
}

/** A whole HTTP/1.1 answer for what never became a request: malformed, too slow, headers too large. */
export function rawProblem(code: ErrorCode, status: number, detail: string): string {
  const problem = { ...toProblem(new PreviewdError(code, detail)), status }
  const body = JSON.stringify(problem)
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}
