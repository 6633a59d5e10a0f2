import { ensureNode } from './setup/node.mjs'
import { ensurePackages } from './setup/packages.mjs'
import { fail } from './setup/problem.mjs'
import { quickChecks } from './setup/quick-checks.mjs'

try {
  await ensurePackages()
  const { failed } = await quickChecks(ensureNode())
  process.exitCode = failed > 0 ? 1 : 0
} catch (error) {
  fail(error)
}
