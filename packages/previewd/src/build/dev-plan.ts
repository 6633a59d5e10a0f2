import { posix } from 'node:path'
import type { Snapshot } from '../model/files.ts'
import type { ProjectSettings } from '../model/project.ts'
import type { DevPlan } from '../model/session.ts'
import { detect } from './detect.ts'
import { APP, allowedVariables } from './plan.ts'
import { expandScript } from './script.ts'

/** Frameworks whose server is a command of their own, and what tells it where to listen. */
const DEV_COMMANDS: ReadonlyMap<string, string> = new Map([
  ['astro', 'astro dev --host 127.0.0.1 --port'],
  ['nuxt', 'nuxt dev --no-fork --host 127.0.0.1 --port'],
  ['nuxi', 'nuxi dev --no-fork --host 127.0.0.1 --port'],
])
const COMMAND_PORT = 4321

export interface DevPlanOptions {
  /** As for builds. */
  allowedEnv: readonly string[]
  /** Host, and port if any, below which previews have their names. */
  previewDomain: string
}

/**
 * Decides how a project is served while it is edited: by its own Vite, or by the dev command of a framework that has a
 * server of its own. Its `dev` script decides, else whether it builds with Vite.
 */
export async function planDev(
  snapshot: Snapshot,
  settings: ProjectSettings,
  { allowedEnv, previewDomain }: DevPlanOptions,
): Promise<DevPlan> {
  const { shape, diagnostics } = await detect(snapshot, settings)
  if (!shape) return { unavailable: diagnostics[0]?.message ?? 'There is nothing to serve.' }
  if (shape.kind === 'static')
    return { unavailable: 'Plain files need no dev server; every change is built.' }
  const { root } = shape
  const env = allowedVariables(settings.env, allowedEnv)
  const own = ownCommand(shape.packageJson?.scripts ?? new Map())
  if (own) {
    const command = `${own} ${COMMAND_PORT}`
    const place = { cwd: posix.join(APP, root), port: COMMAND_PORT }
    // The Vite inside refuses names that it does not know; who may come is decided before a request gets there.
    const hosts = { __VITE_ADDITIONAL_SERVER_ALLOWED_HOSTS: `.${previewDomain.replace(/:\d+$/, '')}` }
    return { root, task: { kind: 'command-dev', command, ...place, env: { ...env, ...hosts } } }
  }
  if (shape.kind === 'vite' || shape.packageJson?.dependencies.has('vite')) {
    return { root, task: { kind: 'vite-dev', root: posix.join(APP, root), env } }
  }
  return { unavailable: 'The project has neither Vite nor a dev command that is known here.' }
}

function ownCommand(scripts: ReadonlyMap<string, string>): string | undefined {
  for (const { words } of expandScript(scripts.has('dev') ? 'dev' : 'start', scripts) ?? []) {
    const [program = '', verb] = (words ?? []).filter((word) => word !== 'npx')
    // `astro` alone starts its server, too.
    const command = verb === 'dev' || verb === undefined ? DEV_COMMANDS.get(program) : undefined
    if (command) return command
  }
  return undefined
}
