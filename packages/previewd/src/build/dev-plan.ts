import { posix } from 'node:path'
import type { Snapshot } from '../model/files.ts'
import type { NodeOffer } from '../model/node-version.ts'
import type { ProjectSettings } from '../model/project.ts'
import type { DevPlan } from '../model/session.ts'
import { chooseNode } from './choose-node.ts'
import { detect } from './detect.ts'
import type { PackageJson } from './package-json.ts'
import { APP, allowedVariables } from './plan.ts'
import { expandScript } from './script.ts'

/** Frameworks that start Vite themselves, by the program of their dev command. */
const FRAMEWORKS: ReadonlyMap<string, 'astro' | 'nuxt'> = new Map([
  ['astro', 'astro'],
  ['nuxt', 'nuxt'],
  ['nuxi', 'nuxt'],
])

export interface DevPlanOptions {
  /** As for builds. */
  allowedEnv: readonly string[]
  nodes: NodeOffer
}

/**
 * Decides how a project is served while it is edited: by its own Vite, or by a framework that starts Vite
 * itself. Its `dev` script decides, else its dependencies, else whether it builds with Vite.
 */
export async function planDev(
  snapshot: Snapshot,
  settings: ProjectSettings,
  { allowedEnv, nodes }: DevPlanOptions,
): Promise<DevPlan> {
  const { shape, diagnostics } = await detect(snapshot, settings)
  if (!shape) return { unavailable: diagnostics[0]?.message ?? 'There is nothing to serve.' }
  if (shape.kind === 'static')
    return { unavailable: 'Plain files need no dev server; every change is built.' }
  const { root } = shape
  const env = allowedVariables(settings.env, allowedEnv)
  const framework = ownFramework(shape.packageJson)
  if (framework || shape.kind === 'vite' || shape.packageJson?.dependencies.has('vite')) {
    const mode = settings.mode ? { mode: settings.mode } : {}
    const task = { kind: 'vite-dev' as const, root: posix.join(APP, root), env }
    const { node } = await chooseNode(snapshot, shape, settings, nodes)
    return { root, task: { ...task, ...mode, ...(framework && { framework }) }, ...(node && { node }) }
  }
  return { unavailable: 'The project has neither Vite nor a dev command that is known here.' }
}

/** As its dev script says, or its dependencies where the script is none that is understood. */
function ownFramework(packageJson: PackageJson | null): 'astro' | 'nuxt' | undefined {
  const scripts = packageJson?.scripts ?? new Map<string, string>()
  for (const { words } of expandScript(scripts.has('dev') ? 'dev' : 'start', scripts) ?? []) {
    const [program = '', verb] = (words ?? []).filter((word) => word !== 'npx')
    if (program === 'vite') return undefined
    // `astro` alone starts its server, too.
    const framework = verb === 'dev' || verb === undefined ? FRAMEWORKS.get(program) : undefined
    if (framework) return framework
  }
  const dependencies = packageJson?.dependencies
  return dependencies?.has('astro') ? 'astro' : dependencies?.has('nuxt') ? 'nuxt' : undefined
}
