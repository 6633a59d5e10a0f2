import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { registryOfNpm } from './packages/previewd/src/lib/npm-registry.ts'

/** Long runs that the everyday suite leaves out: `npm run test:faults`. */
const faults = ['**/test/**/*.faults.test.ts']
const endToEnd = ['**/test/e2e/**/*.test.ts']

export default defineConfig({
  // Tests run as root, and the user's own npm must be able to remove node_modules. Not in /tmp: others write there.
  cacheDir: join(import.meta.dirname, '.previewd/vitest'),
  test: {
    fsModuleCache: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // What comes by itself comes when the machine has the time for it; what never comes fails all the same.
    expect: { poll: { timeout: 60_000 } },
    // Asked once, not by each server that a test starts.
    env: { PREVIEWD_REGISTRY: process.env.PREVIEWD_REGISTRY ?? registryOfNpm(process.env) ?? '' },
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['**/test/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/fixtures/**', ...endToEnd, ...faults],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: endToEnd,
          exclude: ['**/node_modules/**', '**/fixtures/**', ...faults],
          testTimeout: 480_000,
          hookTimeout: 240_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'faults',
          include: faults,
          exclude: ['**/node_modules/**', '**/fixtures/**'],
          testTimeout: 900_000,
          hookTimeout: 240_000,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
