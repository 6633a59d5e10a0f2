import { createHash } from 'node:crypto'
import type { InstallPlan, PlannedLock } from './install-plan.ts'

/** What of the machine and the operator decides the content of an environment. */
export interface KeyContext {
  nodeMajor: number
  arch: string
  pnpmVersion: string
  minimumReleaseAgeMinutes: number
  registryUrl: string
}

/** Raised where the same input would make another tree. */
const FORMAT_VERSION = 1

/** sha256 hex of the generated manifests and settings of a plan. */
export function hashManifests(plan: InstallPlan): string {
  return sha256(JSON.stringify([[...plan.manifests], plan.settings]))
}

/** The key of the environment that a plan makes with a lockfile. */
export function environmentKey(
  context: KeyContext,
  manifestHash: string,
  lock: PlannedLock | undefined,
): string {
  const locked = lock?.kind === 'preferred' ? lock.packages : lock?.text
  return sha256(JSON.stringify([FORMAT_VERSION, context, manifestHash, lock?.kind ?? 'none', locked ?? '']))
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
