import { find, run, show } from './command.mjs'
import { SetupProblem } from './problem.mjs'

/**
 * What to put in front of a command so that it runs as root: nothing for root, `sudo -n` where sudo asks for no
 * password. On a terminal sudo may ask for it once, after a line that says why. Throws a SetupProblem with
 * `instead`, the sentence that says what to do, where there is no way.
 */
export async function asRoot(why, instead) {
  if (process.getuid?.() === 0) return []
  const sudo = find('sudo')
  if (!sudo) throw new SetupProblem(instead)
  const silent = await run(sudo, ['-n', 'true'])
  if (silent.code === 0) return [sudo, '-n']
  if (!process.stdin.isTTY) throw new SetupProblem(instead)
  console.error(`${why} needs root: sudo asks for your password.`)
  if ((await show(sudo, ['-v'])) !== 0) throw new SetupProblem(instead)
  return [sudo, '-n']
}

/**
 * A program's command line as root, below what `asRoot` gave, with the variables that previewd, Node and package
 * clients read. Their values never appear on a command line.
 */
export function rootCommand(prefix, environment, command) {
  if (prefix.length === 0) return command
  const names = Object.keys(environment).filter((name) => HANDED_ON.test(name))
  return [...prefix, `--preserve-env=${names.join(',')}`, ...command]
}

const HANDED_ON =
  /^(PREVIEWD_\w+|NODE_EXTRA_CA_CERTS|CI|NO_COLOR|FORCE_COLOR|https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY)$/
