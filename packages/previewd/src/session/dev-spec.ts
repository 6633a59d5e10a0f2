import type { Snapshot } from '../model/files.ts'
import type { ProjectSettings } from '../model/project.ts'
import type { PlanDev } from '../model/session.ts'
import { type BundleParts, findBundle } from './bundles.ts'
import type { DevWorkerSpec, Serving } from './dev-worker.ts'
import { prepareRuntime, type RuntimeParts } from './prepare-runtime.ts'

export interface SpecParts extends BundleParts, RuntimeParts {
  plan: PlanDev
}

export type RootedServing = Serving & { root: string }

/** There is nothing that a dev server could serve; the message says why. */
export class Unavailable extends Error {}

/** What of these files is served, and how. Rejects with Unavailable. */
export async function planServing(
  parts: Pick<SpecParts, 'plan'>,
  snapshot: Snapshot,
  settings: ProjectSettings,
): Promise<RootedServing> {
  const plan = await parts.plan(snapshot, settings)
  if ('unavailable' in plan) throw new Unavailable(plan.unavailable)
  const { root, task, node } = plan
  return { root, task, egress: settings.egress, ...(node && { node }) }
}

/** Gets what a worker needs to serve them. Rejects with DevServerFailed where the packages cannot be had. */
export async function prepareSpec(
  parts: SpecParts,
  snapshot: Snapshot,
  { root, ...serving }: RootedServing,
  signal: AbortSignal,
): Promise<DevWorkerSpec> {
  const { node } = serving
  const runtime = await prepareRuntime(parts, snapshot, { root, node }, signal)
  const { environment } = runtime
  const isVite = serving.task.kind === 'vite-dev' && environment !== null
  const of = { root, task: serving.task, ...runtime }
  const bundle = isVite ? () => findBundle(parts, snapshot, { ...of, environment }) : undefined
  return { ...serving, ...runtime, bundle }
}
