import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeBench } from './environment-bench.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const PACKAGES = [
  { name: 'shared', version: '1.0.0' },
  { name: 'kept', version: '1.0.0', dependencies: { shared: '1.0.0', '@scope/deep': '1.0.0' } },
  { name: '@scope/deep', version: '1.0.0' },
  { name: 'old', version: '1.0.0', dependencies: { shared: '1.0.0', lonely: '1.0.0' } },
  { name: 'lonely', version: '1.0.0', files: { 'big.txt': 'x'.repeat(10_000) } },
]
const pkg = (name: string) => ({
  'package.json': { packageManager: 'pnpm@10.0.0', dependencies: { [name]: '1.0.0' } },
})

test('What was not used for long goes, with what only it needed, and can be installed again', async () => {
  const bench = await makeBench({ packages: PACKAGES })
  const old = await bench.install(pkg('old'), { project: 'old' })
  const kept = await bench.install(pkg('kept'), { project: 'kept' })
  const longAgo = new Date(Date.now() - 30 * DAY_MS)
  const folder = join(bench.dataDir, 'environments', old.environment.key)
  for (const name of await readdir(folder)) await utimes(join(folder, name), longAgo, longAgo)

  const evicted = await bench.environments.evict(14 * DAY_MS)
  expect(evicted).toMatchObject({ environments: 1, packages: 2 })
  expect(evicted?.bytes).toBeGreaterThan(10_000)
  expect(await kept.run(`node -p "require('kept')"`)).toBe('1.0.0')

  const started = bench.started()
  const again = await bench.install(pkg('kept'), { project: 'kept' })
  expect([again.reused, bench.started()]).toEqual([true, started])
  const back = await bench.install(pkg('old'), { project: 'old' })
  expect(back.reused).toBe(false)
  expect(
    await back.run(`node -p "require('old')"; wc -c < $(readlink -f node_modules/old)/../lonely/big.txt`),
  ).toBe('1.0.0\n10000')
})

test('Nothing is evicted while an environment is being prepared', async () => {
  const bench = await makeBench({ packages: PACKAGES })
  let attempt: Promise<unknown> | undefined
  await bench.install(pkg('kept'), {
    onProgress: () => {
      attempt ??= bench.environments.evict(-DAY_MS)
    },
  })
  expect(await attempt).toBeUndefined()
})
