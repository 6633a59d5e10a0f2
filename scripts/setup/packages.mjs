import { readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { find, projectRoot, run } from './command.mjs'
import { SetupProblem } from './problem.mjs'
import { step } from './steps.mjs'

/** Runs `npm ci` where node_modules is not what the lockfile says. */
export async function ensurePackages() {
  if (packagesInStep()) return
  const npm = npmOfTheSystem()
  await step('Installing npm packages', async () => {
    const { code, output } = await run(
      npm.file,
      ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
      {
        env: npm.env,
      },
    )
    if (code !== 0) {
      console.error(output.split('\n').slice(-12).join('\n'))
      throw new SetupProblem(
        'The npm packages could not be installed: run "npm ci" here, mend what it says, and start again.',
      )
    }
  })
}

/**
 * npm records what it installed in node_modules/.package-lock.json, as its last act. A package may be missing from
 * it only where it is optional and made for another platform.
 */
export function packagesInStep(root = projectRoot) {
  const wanted = readLock(join(root, 'package-lock.json'))
  const installed = readLock(join(root, 'node_modules/.package-lock.json'))
  if (!wanted || !installed) return false
  return Object.entries(wanted.packages).every(([path, entry]) => {
    if (!path.includes('node_modules/') || entry.link) return true
    const found = installed.packages[path]
    if (!found) return Boolean(entry.optional) && (!entry.os || !isForThisMachine(entry))
    return found.version === entry.version && found.integrity === entry.integrity
  })
}

function isForThisMachine({ os, cpu, libc }) {
  const fits = (list, value) => !list || list.includes(value)
  return fits(os, process.platform) && fits(cpu, process.arch) && fits(libc, 'glibc')
}

function readLock(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/**
 * The environment with the registry that the user's npm is set to, for programs that run through sudo and may not find
 * that npm. It stays as it is where npm does not say.
 */
export async function withRegistry(environment) {
  if (environment.PREVIEWD_REGISTRY) return environment
  const npm = npmOfTheSystem()
  const { output } = await run(npm.file, ['config', 'get', 'registry'], { env: npm.env, cwd: '/' })
  // npm may warn around it.
  const registry = output.split('\n').find((line) => /^https?:\/\/\S+$/.test(line))
  return registry ? { ...environment, PREVIEWD_REGISTRY: registry } : environment
}

/** `npm run` puts node_modules/.bin in front, whose `node` would be deleted under the npm that runs on it. */
function npmOfTheSystem() {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const path = folders.filter((folder) => !folder.includes('node_modules')).join(delimiter)
  const file = find('npm', path)
  if (!file)
    throw new SetupProblem('npm is missing: install Node 18 or newer together with npm, and start again.')
  return { file, env: { ...process.env, PATH: path } }
}
