import { describe, test } from 'vitest'
import { canInjectFaults, failCall, killAtAnyTime, killBefore } from './fault-runs.ts'

/* A sample; store.faults.test.ts tries every call. */

describe.runIf(canInjectFaults)('a store that is killed', () => {
  test.each([
    ['pwrite64', [1, 4, 9, 20]],
    ['fdatasync', [2, 5, 9]],
    ['fsync', [1, 4]],
    ['ftruncate', [1]],
    ['rename,renameat,renameat2', [1, 2]],
    ['unlink,unlinkat,rmdir', [1]],
    ['mkdir,mkdirat', [1, 3]],
  ])('before %s holds what was acknowledged, and nothing half', async (calls, sample) => {
    for (const nth of sample) await killBefore(calls, nth)
  })

  test('at any time lays out what it holds when it starts again', async () => {
    for (let round = 0; round < 4; round++) await killAtAnyTime()
  })
})

describe.runIf(canInjectFaults)('a store whose disk fails', () => {
  test.each([
    ['pwrite64', 'ENOSPC', [5, 12]],
    ['pwrite64', 'EIO', [7]],
    ['fdatasync', 'EIO', [2, 6]],
    ['fsync', 'EIO', [2, 5]],
    ['rename,renameat,renameat2', 'EIO', [1, 2]],
    ['mkdir,mkdirat', 'ENOSPC', [3]],
  ])('in %s with %s refuses with a code and is as it was', async (calls, error, sample) => {
    for (const nth of sample) await failCall(calls, error, nth)
  })
})
