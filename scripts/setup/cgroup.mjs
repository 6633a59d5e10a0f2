import { existsSync } from 'node:fs'
import { find } from './command.mjs'

/**
 * What to put in front of a root command so that it may make control groups with every controller. A login session
 * has no cpu controller to hand down; a scope of systemd's own has. Nothing where there is no systemd, or cgroup v1.
 */
export function withControlGroups() {
  const systemdRun = find('systemd-run')
  const isSystemd = existsSync('/run/systemd/system')
  const isVersion2 = existsSync('/sys/fs/cgroup/cgroup.controllers')
  if (!systemdRun || !isSystemd || !isVersion2) return []
  return [systemdRun, '--scope', '--quiet', '--collect', '--property=Delegate=yes']
}
