import { ERRORS, type ErrorCode, type PreviewdError } from '../errors.ts'

/** The body of an error answer, RFC 9457. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code: ErrorCode
  [extra: string]: unknown
}

export function toProblem(error: PreviewdError): Problem {
  const [status, title] = ERRORS[error.code]
  return {
    ...error.extra,
    type: `/docs/errors#${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
  }
}
