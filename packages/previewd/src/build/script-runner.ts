import { posix } from 'node:path'
import type { InputEntry } from '../model/worker.ts'

/** What of package managers a build script may use: running scripts, and programs of node_modules/.bin. */
const PROGRAM = `#!/usr/bin/env node
const { spawnSync } = require('node:child_process')
const { basename } = require('node:path')
const { readFileSync } = require('node:fs')

const runner = basename(process.argv[1])
const given = process.argv.slice(2).filter((arg) => !/^(--silent|-s|--bun|--if-present|-y|--yes|--no-install)$/.test(arg))
const scripts = JSON.parse(readFileSync('package.json', 'utf8')).scripts || {}
const known = (name) => Object.prototype.hasOwnProperty.call(scripts, name)
const shell = (command, rest) => {
  const quoted = rest.map((arg) => " '" + arg.replaceAll("'", "'\\\\''") + "'").join('')
  const { status } = spawnSync('/bin/sh', ['-c', 'export npm_execpath="$0"; ' + command + quoted, process.argv[1]], {
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status === null ? 1 : status)
}
const runScript = (name, rest) => {
  for (const part of ['pre' + name, name, 'post' + name]) {
    if (known(part)) shell(scripts[part], part === name ? rest : [])
  }
}

const args = runner === 'npx' || runner === 'bunx' ? ['exec', ...given] : given
const [verb, ...rest] = args
if (rest[0] === '--' && verb === 'exec') rest.shift()
if (verb === 'run' || verb === 'run-script') {
  const [name, ...more] = rest
  if (!known(name)) {
    console.error(runner + ': there is no script "' + name + '" in package.json')
    process.exit(1)
  }
  const dashes = more.indexOf('--')
  if (runner === 'npm') runScript(name, dashes < 0 ? [] : more.slice(dashes + 1))
  else runScript(name, dashes === 0 ? more.slice(1) : more)
} else if (verb === 'exec' || verb === 'x' || verb === 'dlx') {
  shell(rest[0], rest.slice(1))
} else if (runner !== 'npm' && known(verb)) {
  runScript(verb, rest)
} else if (runner === 'npm' && (verb === 'test' || verb === 'start')) {
  runScript(verb, rest)
} else if (runner !== 'npm' && verb && !/^(install|i|add|remove|ci|update|publish)$/.test(verb)) {
  shell(verb, rest)
} else {
  console.error(runner + ' ' + args.join(' ') + ': only scripts run here; dependencies are installed before the build')
  process.exit(1)
}
`
const NAMES = ['npm', 'npx', 'pnpm', 'yarn', 'bun', 'bunx']

/**
 * Stand-ins for the package managers, which the sandbox does not have, so that scripts that call `npm run x` and
 * `npx y` work to any depth. A package of that name among the dependencies goes before them.
 */
export function scriptRunners(root: string, entries: readonly InputEntry[]): InputEntry[] {
  const there = new Set(entries.map(({ path }) => path))
  const content = Buffer.from(PROGRAM)
  return NAMES.map((name) => posix.join(root, 'node_modules/.bin', name))
    .filter((path) => !there.has(path))
    .map((path) => ({ kind: 'file', path, size: content.length, content, executable: true }))
}
