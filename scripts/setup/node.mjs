import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { projectRoot } from './command.mjs'
import { SetupProblem } from './problem.mjs'

const OLDEST = [24, 15]

/**
 * Path of a Node that runs this project: the private one that the workspace's optional dependency brings, else the
 * one that runs this script where it is new enough.
 */
export function ensureNode() {
  const candidates = [join(projectRoot, 'node_modules/.bin/node'), process.execPath]
  const found = candidates.find(isNewEnough)
  if (found) return found
  throw new SetupProblem(
    `Node ${OLDEST.join('.')} or newer is needed and no ready-made one fits ${process.platform} ${process.arch}: install it and start again.`,
  )
}

function isNewEnough(file) {
  const { stdout } = spawnSync(file, ['--version'], { encoding: 'utf8' })
  const [major = 0, minor = 0] = (stdout ?? '').replace('v', '').split('.').map(Number)
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}
