import type { FastifyReply } from 'fastify'
import { PreviewdError } from '../errors.ts'
import type { AppliedChanges } from '../model/files.ts'
import type { WaitPoint } from '../model/pipeline.ts'
import type { ProjectStatus } from '../model/status.ts'
import type { ApiContext } from './context.ts'
import { untilClosed } from './until-closed.ts'

const REFUSALS: ReadonlySet<string> = new Set(['QUEUE_FULL', 'SANDBOX_UNAVAILABLE'])

export interface Wait {
  wait?: WaitPoint | undefined
  timeoutMs: number
}

export interface Waited {
  /** 202 where the time was over first. */
  code: 200 | 202
  status: ProjectStatus
  /** Why there is nothing to wait for, where that is so. */
  reason?: 'no_viewer' | 'no_session'
}

/**
 * Holds the call until the revision reached the point or failed. `painted` without a viewer is answered at once; `live`
 * starts a session, and is the build where the project can have none, and the answer says so.
 */
export async function waitForRevision(
  { pipeline, closing }: ApiContext,
  reply: FastifyReply,
  { project, revision, wait, timeoutMs }: Wait & { project: string; revision: number },
): Promise<Waited> {
  const before = pipeline.status(project)
  if (wait === undefined || wait === 'applied') return { code: 200, status: before }
  // A project without files is built where that is asked for only.
  if (revision === 0 && !before.build) return { code: 200, status: before }
  if (wait === 'painted' && !before.session.viewers) {
    return { code: 200, status: { ...before, painted: null }, reason: 'no_viewer' }
  }
  const isShownLive = wait === 'painted' || (wait === 'live' && (await startSession(pipeline, project)))
  if (!isShownLive && isUnbuilt(before, revision)) await pipeline.requestBuild(project, {})
  const signal = untilClosed(reply, closing)
  const reached = await pipeline.waitFor(project, revision, wait, timeoutMs, signal)
  const status = pipeline.status(project)
  const code = reached ? 200 : 202
  if (wait === 'live' && status.session.state === 'off') return { code, status, reason: 'no_session' }
  // They may have gone meanwhile.
  if (wait === 'painted' && status.session.viewers === 0) {
    return { code, status: { ...status, painted: null }, reason: 'no_viewer' }
  }
  return { code, status }
}

/** What a call that brought files in is answered with, once their revision got as far as was asked. */
export async function answerApplied(
  context: ApiContext,
  reply: FastifyReply,
  project: string,
  applied: AppliedChanges,
  wait: Wait,
) {
  const { revision } = applied
  const { code, status, reason } = await waitForRevision(context, reply, { project, revision, ...wait })
  const painted = reason === 'no_viewer' ? { painted: null } : {}
  return { code, answer: { project, ...applied, status, ...painted, ...(reason && { reason }) } }
}

/** False where there is no room for it. */
async function startSession(pipeline: ApiContext['pipeline'], project: string): Promise<boolean> {
  try {
    await pipeline.startSession(project)
    return true
  } catch (error) {
    if (error instanceof PreviewdError && REFUSALS.has(error.code)) return false
    throw error
  }
}

/** A revision can be without a build of its own: the server was too busy, or the build was removed. */
function isUnbuilt({ build }: ProjectStatus, revision: number): boolean {
  return !build || build.revision < revision
}
