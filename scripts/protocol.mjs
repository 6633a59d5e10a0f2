import { projectRoot, show } from './setup/command.mjs'
import { ensureNode } from './setup/node.mjs'
import { ensurePackages } from './setup/packages.mjs'
import { fail } from './setup/problem.mjs'

/** Writes what is generated from the server's schemas; with --record the examples too, for which it needs root. */
async function main(args) {
  await ensurePackages()
  process.exitCode = await show(ensureNode(), ['protocol/generate.ts', ...args], { cwd: projectRoot })
}

main(process.argv.slice(2)).catch(fail)
