import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startDaemonUnderTest } from './daemon-under-test.ts'

/** The distribution's own, with its packages; "npm test" installs them. */
const PYTHON = '/usr/bin/python3'
const CLIENT = join(import.meta.dirname, '../../../../clients/python')
const API_KEY = 'canary-of-the-python-tests'

test('the Python client does what its own tests say, against a real server', async () => {
  const root = mkdtempSync(join(tmpdir(), 'previewd-python-'))
  const settings = { PREVIEWD_LOCAL_ROOTS: root, PREVIEWD_BUILD_QUIET_MS: '100' }
  await using keyed = await startDaemonUnderTest({ ...settings, PREVIEWD_API_KEY: API_KEY })
  await using open = await startDaemonUnderTest(settings)
  const { code, output } = await python(['-m', 'pytest', '-q'], {
    PREVIEWD_TEST_URL: keyed.client.url,
    PREVIEWD_TEST_API_KEY: API_KEY,
    PREVIEWD_TEST_OPEN_URL: open.client.url,
    PREVIEWD_TEST_ROOT: root,
  })
  rmSync(root, { recursive: true, force: true })
  expect(code, output).toBe(0)
  expect(output).toMatch(/\d+ passed/)
  expect(output).not.toMatch(/skipped|deselected|xfailed/)
})

test('the types of the Python client hold', async () => {
  const { code, output } = await python(['-m', 'mypy', '--cache-dir=/dev/null', 'src', 'tests'], {})
  expect(code, output).toBe(0)
})

/** Runs Python in the client's folder; resolves with what it says in the end. */
async function python(
  args: string[],
  environment: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  const child = spawn(PYTHON, args, {
    cwd: CLIENT,
    env: { ...process.env, ...environment, PYTHONPATH: 'src', PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-20_000)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}
