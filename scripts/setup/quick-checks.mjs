import { join } from 'node:path'
import { projectRoot, run } from './command.mjs'
import { step } from './steps.mjs'

const CHECKS = [
  {
    label: 'Format and lint (biome)',
    program: '@biomejs/biome/bin/biome',
    args: ['check', '--error-on-warnings'],
  },
  { label: 'Types (tsc)', program: 'typescript/bin/tsc', args: ['-p', '.'] },
  {
    label: 'Unused files, exports and dependencies (knip)',
    program: 'knip/bin/knip.js',
    args: ['--no-progress'],
  },
]

/** Runs the checks that take seconds, one after the other, all of them; what one finds is printed below its line. */
export async function quickChecks(node) {
  let failed = 0
  for (const check of CHECKS) if (!(await passes(node, check))) failed++
  return { passed: CHECKS.length - failed, failed }
}

async function passes(node, { label, program, args }) {
  let output = ''
  try {
    await step(label, async () => {
      const result = await run(node, [join(projectRoot, 'node_modules', program), ...args])
      output = result.output
      if (result.code !== 0) throw new Error(label)
    })
    return true
  } catch {
    console.error(output)
    return false
  }
}
