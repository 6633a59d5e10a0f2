import { execFile, spawnSync } from 'node:child_process'
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { startDaemonUnderTest } from '../../../previewd/test/e2e/daemon-under-test.ts'
import { installPacked } from '../packed.ts'

const PACKAGES = join(import.meta.dirname, '../../../../node_modules')

test('the README runs as written, and its types are right', async () => {
  await using daemon = await startDaemonUnderTest()
  using consumer = installPacked()
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
  const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)
  expect(blocks.length).toBeGreaterThan(5)
  const program = join(consumer.folder, 'readme.mts')
  // One after the other: later ones use what earlier ones made. The address is that of the server here.
  writeFileSync(program, blocks.join('\n').replaceAll('http://127.0.0.1:4400', daemon.client.url))

  symlinkSync(join(PACKAGES, '@types'), join(consumer.folder, 'node_modules/@types'))
  const tsc = [
    join(PACKAGES, 'typescript/bin/tsc'),
    '--noEmit',
    '--strict',
    '--ignoreConfig',
    '--types',
    'node',
    '--module',
    'NodeNext',
  ]
  const types = spawnSync(process.execPath, [...tsc, '--target', 'ES2023', program], { encoding: 'utf8' })
  expect(types.stdout).toBe('')

  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program], { timeout: 200_000 })
  expect(stderr).toBe('')
  expect(stdout).toContain(`http://hello.localhost:${new URL(daemon.client.url).port}/`)
  expect(stdout).toContain('The path "../secret.txt"')
  expect(stdout).toContain("[ 'greeting.js', 'main.js', 'dot.gif' ] { files: {}, deleted: [] } [] []")
})
