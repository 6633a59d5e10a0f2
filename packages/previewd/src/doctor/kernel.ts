import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { bad, type Finding, good } from './finding.ts'

const NAMESPACES = 'User namespaces'
const SECCOMP = 'Seccomp'
const NEEDED_ACTIONS = ['kill_process', 'errno', 'allow']

/**
 * Whether bubblewrap may make user namespaces, by the switches of Linux, Debian and Ubuntu. `root` is where /proc and
 * /etc are.
 */
export async function findUserNamespaces(root = '/'): Promise<Finding> {
  const read = (path: string) => readNumber(join(root, 'proc/sys', path))
  if ((await read('user/max_user_namespaces')) === 0) {
    return bad(NAMESPACES, 'They are switched off; run `sysctl -w user.max_user_namespaces=15000`.')
  }
  if ((await read('kernel/unprivileged_userns_clone')) === 0) {
    return bad(NAMESPACES, 'They are for root alone; run `sysctl -w kernel.unprivileged_userns_clone=1`.')
  }
  const restricted = (await read('kernel/apparmor_restrict_unprivileged_userns')) === 1
  if (restricted && !(await hasAppArmorProfile(root))) {
    return bad(
      NAMESPACES,
      'AppArmor keeps them from bubblewrap, as on Ubuntu 24.04; install the package apparmor-profiles and link ' +
        '/usr/share/apparmor/extra-profiles/bwrap-userns-restrict into /etc/apparmor.d, or run ' +
        '`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`.',
    )
  }
  return good(NAMESPACES, 'They are available.')
}

export async function findSeccomp(root = '/'): Promise<Finding> {
  const file = join(root, 'proc/sys/kernel/seccomp/actions_avail')
  const actions = (await readFile(file, 'utf8').catch(() => '')).split(/\s+/)
  const missing = NEEDED_ACTIONS.filter((action) => !actions.includes(action))
  if (missing.length === 0) return good(SECCOMP, 'The kernel filters system calls.')
  return bad(
    SECCOMP,
    `The kernel lacks ${missing.join(', ')}; use a kernel with CONFIG_SECCOMP_FILTER, 4.14 or newer.`,
  )
}

async function hasAppArmorProfile(root: string): Promise<boolean> {
  for (const name of ['bwrap', 'bwrap-userns-restrict']) {
    const found = await stat(join(root, 'etc/apparmor.d', name)).catch(() => undefined)
    if (found) return true
  }
  return false
}

/** Undefined where this kernel has no such switch. */
async function readNumber(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : Number(text.trim())
}
