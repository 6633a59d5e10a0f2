import type { FastifyReply } from 'fastify'
import type { WaitPoint } from '../model/pipeline.ts'
import type { ProjectStatus } from '../model/status.ts'
import type { ApiContext } from './context.ts'
import { untilClosed } from './until-closed.ts'

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
 * Holds the call until the revision reached the point or failed. `painted` without a viewer is answered at once; `live` is
 * the build where no session runs, and the answer says so.
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
  if (isUnbuilt(before, revision)) await pipeline.requestBuild(project, {})
  const signal = untilClosed(reply, closing)
  const reached = await pipeline.waitFor(project, revision, wait, timeoutMs, signal)
  const status = pipeline.status(project)
  const sessionless = wait === 'live' && status.session.state === 'off'
  return { code: reached ? 200 : 202, status, ...(sessionless && { reason: 'no_session' }) }
}

/** A revision can be without a build of its own: the server was too busy, or the build was removed. */
function isUnbuilt({ build }: ProjectStatus, revision: number): boolean {
  return !build || build.revision < revision
}
