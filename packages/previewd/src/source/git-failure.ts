import { PreviewdError } from '../errors.ts'
import type { TaskOutcome } from '../model/worker.ts'
import type { Failure as Judged } from './retry.ts'

type Failure = Exclude<TaskOutcome, { kind: 'succeeded' }>

export interface FailedClone {
  host: string
  ref: string | undefined
  path: string | undefined
  outcome: Failure
  /** What git wrote. It may repeat what the host sent, so none of it is passed on. */
  said: string
  /** Why the way out refused the host, where it did. */
  refusal: string | undefined
  timeoutMs: number
}

const TOO_LARGE = /no space left on device|file too large|out of memory|cannot allocate|signal 25/i
const DENIED =
  /authentication failed|could not read (?:username|password)|terminal prompts disabled|error: 40[13]\b/i
const ABSENT =
  /repository .* not found|error: 404\b|does not appear to be a git repository|not valid: is this a git/i
const NO_REF = /couldn't find remote ref|not our ref|unadvertised object|remote error: upload-pack/i
const REDIRECTED = /unable to update url base from redirection|error: 30[1-8]\b/i
const BAD_NAME = /invalid path|unable to create (?:file|directory)|file ?name too long/i
const NOT_TREE = /not a (?:valid object name|tree object)|failed to unpack tree|does not exist in/i

/** The host was busy, or the connection broke. */
const PASSING =
  /error: (?:408|429|5\d\d)\b|response 50[234]|connection (?:reset|refused)|empty reply|early eof|unexpected disconnect|hung up/i

/** A fetch that failed before any file of it was given out. */
export class CloneError extends Error {
  readonly judged: Judged

  constructor(failed: FailedClone) {
    const error = explain(failed)
    super(error.message)
    const isBroken = error.code === 'SOURCE_UNREACHABLE' && failed.outcome.kind === 'failed'
    this.judged = { error, mayPass: isBroken && PASSING.test(failed.said) }
  }
}

/** In words of our own. */
function explain(failed: FailedClone): PreviewdError {
  const { host, ref, path, outcome, said, refusal, timeoutMs } = failed
  if (refusal !== undefined) return new PreviewdError('SOURCE_DENIED', `${refusal}`)
  if (outcome.kind === 'out_of_memory' || TOO_LARGE.test(said)) return tooLarge()
  if (outcome.kind === 'timed_out') {
    return unreachable(`${host} did not send the repository within ${Math.round(timeoutMs / 1000)} seconds.`)
  }
  if (REDIRECTED.test(said))
    return unreachable(`${host} redirects to another address, which is not followed.`)
  if (DENIED.test(said)) {
    return new PreviewdError('SOURCE_DENIED', `${host} does not let this server read the repository.`)
  }
  if (NO_REF.test(said)) {
    return notFound(`The repository has no branch, tag or commit ${JSON.stringify(ref ?? 'HEAD')}.`)
  }
  if (ABSENT.test(said)) return notFound(`${host} has no repository at this address.`)
  if (BAD_NAME.test(said)) {
    return new PreviewdError('INVALID_PATH', 'The repository has a file name that cannot be one here.')
  }
  if (path !== undefined && NOT_TREE.test(said)) {
    return notFound(`The repository has no folder ${JSON.stringify(path)}.`)
  }
  return unreachable(`The repository could not be fetched from ${host}.`)
}

export function tooLarge(): PreviewdError {
  return new PreviewdError('PROJECT_TOO_LARGE', 'The repository is larger than this server takes.')
}

function unreachable(detail: string): PreviewdError {
  return new PreviewdError('SOURCE_UNREACHABLE', detail)
}

function notFound(detail: string): PreviewdError {
  return new PreviewdError('SOURCE_NOT_FOUND', detail)
}
