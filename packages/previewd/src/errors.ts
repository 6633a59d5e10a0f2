/**
 * Every error a caller can see: its code, HTTP status and title. Codes are stable and documented in docs/errors.md;
 * a test holds this table, the documentation and the uses together.
 */
export const ERRORS = {
  BAD_REQUEST: [400, 'The request does not fit the schema'],
  INVALID_JSON: [400, 'The body is not valid JSON'],
  INVALID_ARCHIVE: [400, 'The archive cannot be read'],
  INVALID_PATH: [400, 'A file path is not allowed'],
  INVALID_PROJECT_ID: [400, 'The project id is not a valid DNS label'],
  UNAUTHORIZED: [401, 'A valid API key is needed'],
  FORBIDDEN: [403, 'The key does not allow this'],
  ORIGIN_NOT_ALLOWED: [403, 'The browser origin may not call the API'],
  HOST_NOT_ALLOWED: [403, 'The Host header is not one of this server'],
  NOT_FOUND: [404, 'There is nothing at this address'],
  PROJECT_NOT_FOUND: [404, 'The project does not exist'],
  FILE_NOT_FOUND: [404, 'The file does not exist'],
  BUILD_NOT_FOUND: [404, 'The build does not exist'],
  SOURCE_NOT_FOUND: [404, 'The source has no files of the project'],
  SESSION_NOT_FOUND: [404, 'The project has no live session'],
  KEY_NOT_FOUND: [404, 'The key does not exist'],
  METHOD_NOT_ALLOWED: [405, 'The address does not answer to this method'],
  REVISION_CONFLICT: [409, 'The project is at another revision'],
  BUILD_NOT_PUBLISHABLE: [409, 'Only a succeeded build can be published'],
  IDEMPOTENCY_CONFLICT: [409, 'The idempotency key was used with another request'],
  PAYLOAD_TOO_LARGE: [413, 'The request is larger than allowed'],
  PROJECT_TOO_LARGE: [413, 'The project would be larger than allowed'],
  FILE_TOO_LARGE: [413, 'A file is larger than allowed'],
  TOO_MANY_FILES: [413, 'The project would have more files than allowed'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'The content type is not understood'],
  SETTINGS_INVALID: [422, 'The project settings are not valid'],
  SOURCE_NOT_SUPPORTED: [422, 'This source is not available on this server'],
  RATE_LIMITED: [429, 'Too many requests'],
  QUEUE_FULL: [429, 'Too much is waiting'],
  INTERNAL: [500, 'The server failed'],
  STORAGE_FAILED: [500, 'The storage failed'],
  NOT_IMPLEMENTED: [501, 'This is not available'],
  BACKEND_UNREACHABLE: [502, 'The back end of the project does not answer'],
  BACKEND_NOT_ALLOWED: [502, 'The back end of the project may not be reached'],
  SOURCE_DENIED: [502, 'The source refuses this server'],
  SOURCE_UNREACHABLE: [502, 'The source does not answer as it should'],
  SANDBOX_UNAVAILABLE: [503, 'The sandbox is not whole, so project code does not run'],
  SHUTTING_DOWN: [503, 'The server is draining'],
  OVERLOADED: [503, 'The server is overloaded'],
  BACKEND_TIMEOUT: [504, 'The back end of the project takes too long'],
  STORAGE_FULL: [507, 'The disk is full'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ErrorCode = keyof typeof ERRORS

/** An error with a stable code; `detail` is one sentence for the caller and must hold no secret. */
export class PreviewdError extends Error {
  readonly code: ErrorCode
  readonly status: number
  /** Extra members of the problem+json answer, e.g. `{revision: 7}`. */
  readonly extra: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    detail: string,
    options: { cause?: unknown; extra?: Record<string, unknown> } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PreviewdError'
    this.code = code
    this.status = ERRORS[code][0]
    this.extra = options.extra ?? {}
  }
}
