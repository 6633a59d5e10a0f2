import { readFileSync, realpathSync } from 'node:fs'
import { find, run } from './command.mjs'
import { SetupProblem } from './problem.mjs'
import { asRoot } from './root.mjs'
import { step } from './steps.mjs'

const SWITCH = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns'
const PROFILE = '/etc/apparmor.d/previewd-bwrap'

/**
 * Ubuntu 23.10 and later let a program make user namespaces only where an AppArmor profile says so, and ship none
 * that does for bubblewrap. This is the profile form that Ubuntu itself uses for browsers: nothing is confined, user
 * namespaces are allowed. It is checked by making one.
 */
export async function ensureAppArmorProfile(bwrap) {
  if (!isRestricted() || (await canUnshare(bwrap))) return
  const instead =
    'AppArmor forbids bubblewrap to make user namespaces: run "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0" and start again.'
  const prefix = await asRoot('Allowing user namespaces to bubblewrap', instead)
  await step('Allowing user namespaces to bubblewrap (AppArmor profile)', async () => {
    const text = profile(realpathSync(bwrap))
    const [file, ...args] = [
      ...prefix,
      'sh',
      '-c',
      'printf %s "$1" > "$2" && apparmor_parser -r "$2"',
      'sh',
      text,
      PROFILE,
    ]
    const { code } = await run(file, args)
    if (code !== 0 || !(await canUnshare(bwrap))) throw new SetupProblem(instead)
  })
}

function profile(path) {
  return [
    'abi <abi/4.0>,',
    'include <tunables/global>',
    '',
    `profile previewd-bwrap ${path} flags=(unconfined) {`,
    '  userns,',
    '  include if exists <local/previewd-bwrap>',
    '}',
    '',
  ].join('\n')
}

function isRestricted() {
  try {
    return readFileSync(SWITCH, 'utf8').trim() === '1'
  } catch {
    return false
  }
}

/** As the server will: not as root, whose capabilities are not restricted. */
async function canUnshare(bwrap) {
  const test = [bwrap, '--unshare-user', '--unshare-net', '--ro-bind', '/', '/', 'true']
  const dropped =
    process.getuid() === 0 && find('setpriv')
      ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...test]
      : test
  const { code } = await run(dropped[0], dropped.slice(1))
  return code === 0
}
