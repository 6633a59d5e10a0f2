import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startDaemonUnderTest } from './daemon-under-test.ts'
import { runPython } from './python-process.ts'

const API_KEY = 'canary-of-the-python-tests'

test('the Python client does what its own tests say, against a real server', async () => {
  const root = mkdtempSync(join(tmpdir(), 'previewd-python-'))
  const settings = { PREVIEWD_LOCAL_ROOTS: root, PREVIEWD_BUILD_QUIET_MS: '100' }
  await using keyed = await startDaemonUnderTest({ ...settings, PREVIEWD_API_KEY: API_KEY })
  await using open = await startDaemonUnderTest(settings)
  const { code, output } = await runPython(['-m', 'pytest', '-q'], {
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
  const { code, output } = await runPython(['-m', 'mypy', '--cache-dir=/dev/null', 'src', 'tests'])
  expect(code, output).toBe(0)
})
