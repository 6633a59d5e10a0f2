import { readFileSync } from 'node:fs'
import { find, run } from './command.mjs'
import { SetupProblem } from './problem.mjs'
import { asRoot } from './root.mjs'
import { step } from './steps.mjs'

/** `ID` of /etc/os-release, e.g. `debian` or `ubuntu`; an empty string where there is none. */
export function distribution() {
  try {
    return /^ID="?([\w-]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? ''
  } catch {
    return ''
  }
}

/**
 * Installs Debian packages. The package lists are fetched only where an install without that does not work: a fresh
 * machine has none, an older one has them out of date.
 */
export async function aptInstall(packages) {
  const names = packages.join(' ')
  const instead = `${names} could not be installed: run "sudo apt-get install ${names}" and start again.`
  if (!find('apt-get'))
    throw new SetupProblem(`Install ${names} with this system's package manager and start again.`)
  const prefix = await asRoot(`Installing ${names}`, instead)
  await step(`Installing ${names}`, async () => {
    if (await tryInstall(prefix, packages)) return
    await aptGet(prefix, ['update'])
    if (!(await tryInstall(prefix, packages))) throw new SetupProblem(instead)
  })
}

async function tryInstall(prefix, packages) {
  const { code } = await aptGet(prefix, ['install', '--yes', '--no-install-recommends', ...packages])
  return code === 0
}

function aptGet(prefix, args) {
  const quiet = ['DEBIAN_FRONTEND=noninteractive', 'NEEDRESTART_MODE=l']
  // Unattended upgrades hold the lock for a while after a machine's first start.
  const [file, ...rest] = [
    ...prefix,
    'env',
    ...quiet,
    'apt-get',
    '-qq',
    '-o',
    'DPkg::Lock::Timeout=180',
    ...args,
  ]
  return run(file, rest)
}
