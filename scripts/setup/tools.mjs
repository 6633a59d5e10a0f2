import { aptInstall } from './apt.mjs'
import { find } from './command.mjs'

/** Debian packages by the program that shows they are there. */
const PACKAGES = { strace: 'strace', nginx: 'nginx-light', wrk: 'wrk', git: 'git' }

/** Installs what is missing of some programs: `strace` for fault tests, `nginx` and `wrk` for the benchmark. */
export async function ensureTools(...programs) {
  const missing = programs.filter((program) => !find(program))
  if (missing.length > 0) await aptInstall(missing.map((program) => PACKAGES[program]))
}
