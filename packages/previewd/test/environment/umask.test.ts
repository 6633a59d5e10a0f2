import { expect, onTestFinished, test } from 'vitest'
import { makeBench } from './environment-bench.ts'

test('A server with a private umask installs what project workers can read', async () => {
  const bench = await makeBench({ packages: [{ name: 'leaf', version: '1.0.0' }] })
  await bench.workers.status()
  const umask = process.umask(0o077)
  onTestFinished(() => void process.umask(umask))
  const { run } = await bench.install({ 'package.json': { dependencies: { leaf: '1.0.0' } } })
  expect(await run(`node -p "require('leaf')"`)).toBe('1.0.0')
})
