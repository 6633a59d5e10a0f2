import { ensureChromium } from './setup/chromium.mjs'
import { projectRoot, show } from './setup/command.mjs'
import { ensureNode } from './setup/node.mjs'
import { ensurePackages, withRegistry } from './setup/packages.mjs'
import { fail } from './setup/problem.mjs'
import { asRoot, rootCommand } from './setup/root.mjs'
import { ensureBubblewrap } from './setup/sandbox.mjs'
import { ensureTools } from './setup/tools.mjs'

/** Sets up what the benchmark needs, then runs it: `npm run bench -- --help` says how. */
async function main(args) {
  await ensurePackages()
  const node = ensureNode()
  await ensureBubblewrap()
  const chromium = await ensureChromium()
  await ensureTools('nginx', 'wrk', 'strace')
  const prefix = await asRoot('The sandbox', 'The benchmark needs root: run "sudo npm run bench".')
  const settings = { ...process.env, PREVIEWD_CHROMIUM: chromium }
  const environment = prefix.length > 0 ? await withRegistry(settings) : settings
  const command = rootCommand(prefix, environment, [node, 'bench/main.ts', ...args])
  process.exitCode = await show(command[0], command.slice(1), { cwd: projectRoot, env: environment })
}

main(process.argv.slice(2)).catch(fail)
