import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureChromium } from './setup/chromium.mjs'
import { projectRoot, show } from './setup/command.mjs'
import { ensureNode } from './setup/node.mjs'
import { ensurePackages, withRegistry } from './setup/packages.mjs'
import { fail } from './setup/problem.mjs'
import { ensurePython } from './setup/python.mjs'
import { quickChecks } from './setup/quick-checks.mjs'
import { asRoot, rootCommand } from './setup/root.mjs'
import { ensureBubblewrap } from './setup/sandbox.mjs'
import { elapsed } from './setup/steps.mjs'
import { ensureTools } from './setup/tools.mjs'

const USAGE = `npm test                 quick checks, then every test but the long ones
npm test -- PATTERN      only test files whose path contains PATTERN, without the quick checks
npm run test:faults      the server killed and its disk failing at every system call (long)`

/** Projects of vitest.config.ts. */
const EVERYDAY = ['--project=parts', '--project=e2e']
const FAULTS = ['--project=faults']

async function main(args) {
  if (args.includes('--help')) return console.log(USAGE)
  const since = Date.now()
  const patterns = args.filter((argument) => argument !== '--faults')
  const projects = args.includes('--faults') ? FAULTS : EVERYDAY

  await ensurePackages()
  const node = ensureNode()
  await ensureBubblewrap()
  const chromium = await ensureChromium()
  await ensureTools('strace')
  await ensurePython()

  const isWhole = projects === EVERYDAY && patterns.length === 0
  const checks = isWhole ? await quickChecks(node) : { passed: 0, failed: 0 }
  const tests = await runVitest(node, chromium, [...projects, ...patterns])
  summarise(checks, tests, since)
}

/** Sandboxes, their uids and cgroups need root, so the tests run as root. */
async function runVitest(node, chromium, args) {
  const prefix = await asRoot('The sandbox tests', 'The tests need root: run "sudo npm test".')
  const settings = { ...process.env, PREVIEWD_CHROMIUM: chromium }
  const environment = prefix.length > 0 ? await withRegistry(settings) : settings
  const folder = mkdtempSync(join(tmpdir(), 'previewd-test-'))
  const report = join(folder, 'report.json')
  const vitest = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]
  const command = rootCommand(prefix, environment, [node, ...vitest, ...args])
  try {
    const code = await show(command[0], command.slice(1), { cwd: projectRoot, env: environment })
    return { code, ...counts(report) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Vitest writes no report where it fails before the first test: that counts as one failure. */
function counts(report) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(
      readFileSync(report, 'utf8'),
    )
    // A file that fails as a whole (an import, a hook) has no failed test in it.
    const files = testResults.filter(
      (file) => file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed'),
    )
    return { passed: numPassedTests, failed: numFailedTests + files.length, skipped: numPendingTests }
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
}

function summarise(checks, tests, since) {
  const passed = checks.passed + tests.passed
  // An error outside every test fails the run without failing a test.
  const unseen = tests.code !== 0 && tests.failed === 0 ? 1 : 0
  const failed = checks.failed + tests.failed + unseen
  const quick =
    checks.passed + checks.failed > 0
      ? `${checks.passed} of ${checks.passed + checks.failed} quick checks and `
      : ''
  console.log(
    `\n${quick}${tests.passed} tests passed in ${elapsed(since)}${unseen ? '; an error outside the tests stands above' : ''}`,
  )
  console.log(`${passed} passed, ${failed} failed${tests.skipped ? `, ${tests.skipped} skipped` : ''}`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}

main(process.argv.slice(2)).catch(fail)
