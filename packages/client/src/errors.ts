import type { Diagnostic, ErrorCode, Problem, Status } from './protocol.ts'

/** What went wrong on the way, beside the server's own codes. */
export type ClientErrorCode =
  | 'CONNECTION_FAILED'
  | 'TIMEOUT'
  | 'INVALID_OPTIONS'
  | 'INVALID_ANSWER'
  | 'REDIRECTED'
  | 'BUILD_FAILED'
  | 'SESSION_FAILED'

/** Codes that a newer server has may come too. */
export type PreviewdErrorCode = ErrorCode | ClientErrorCode | (string & Record<never, never>)

interface ErrorInit {
  status?: number | undefined
  problem?: Problem | undefined
  cause?: unknown
}

/** Everything that this client throws, but for the reason of a signal that its caller aborted. */
export class PreviewdError extends Error {
  /** Stable: compare this, not the message. */
  readonly code: PreviewdErrorCode
  /** Of the HTTP answer; undefined where there was none. */
  readonly status: number | undefined
  /** One sentence for people. */
  readonly detail: string
  /** The whole RFC 9457 answer, e.g. with `revision` of a conflict or `errors` of settings. */
  readonly problem: Problem | undefined

  constructor(code: PreviewdErrorCode, detail: string, { status, problem, cause }: ErrorInit = {}) {
    super(`${detail} [${code}]`, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
    this.status = status
    this.detail = detail
    this.problem = problem
  }
}

/** No answer came: the server is away, unknown, or hung up. */
export class PreviewdConnectionError extends PreviewdError {
  constructor(detail: string, cause?: unknown) {
    super('CONNECTION_FAILED', detail, { cause })
  }
}

/** The time that was given is over. */
export class PreviewdTimeoutError extends PreviewdError {
  constructor(detail: string) {
    super('TIMEOUT', detail)
  }
}

/** What was waited for will not come: the build failed, or the session cannot live. */
export class PreviewdFailedError extends PreviewdError {
  readonly projectStatus: Status
  readonly diagnostics: readonly Diagnostic[]

  constructor(code: 'BUILD_FAILED' | 'SESSION_FAILED', detail: string, projectStatus: Status) {
    super(code, detail)
    this.projectStatus = projectStatus
    this.diagnostics = projectStatus.diagnostics
  }
}
