import { spawnSync } from 'node:child_process'

const TIMEOUT_MS = 20_000

/**
 * The registry that npm on this machine is set to: the public one, or the operator's own mirror. Undefined where there
 * is no npm, or it does not say.
 */
export function registryOfNpm(environment: NodeJS.ProcessEnv): string | undefined {
  // Not from a folder whose .npmrc is somebody else's.
  const { stdout } = spawnSync('npm', ['config', 'get', 'registry'], {
    cwd: '/',
    encoding: 'utf8',
    env: environment,
    timeout: TIMEOUT_MS,
  })
  const registry = (stdout ?? '').trim()
  return URL.canParse(registry) ? registry : undefined
}
