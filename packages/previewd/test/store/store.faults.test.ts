import { describe, test } from 'vitest'
import { canInjectFaults, failCall, killAtAnyTime, killBefore } from './fault-runs.ts'

const NO_LIMIT = 10_000

describe.runIf(canInjectFaults)('a store that is killed before any system call', () => {
  test.each([
    'pwrite64',
    'fdatasync',
    'fsync',
    'ftruncate',
    'rename,renameat,renameat2',
    'unlink,unlinkat,rmdir',
    'mkdir,mkdirat',
  ])('(%s) holds what was acknowledged, and nothing half', async (calls) => {
    for (let nth = 1; nth < NO_LIMIT; nth++) if (!(await killBefore(calls, nth))) break
  })
})

describe.runIf(canInjectFaults)('a store whose disk fails at any system call', () => {
  // The last number is about how many of those calls the store makes.
  test.each([
    ['pwrite64', 'ENOSPC', 110],
    ['pwrite64', 'EIO', 110],
    ['fdatasync', 'ENOSPC', 15],
    ['fdatasync', 'EIO', 15],
    ['fsync', 'EIO', 18],
    ['ftruncate', 'EIO', 4],
    ['rename,renameat,renameat2', 'EIO', 3],
    ['mkdir,mkdirat', 'ENOSPC', 6],
    ['openat', 'EMFILE', 60],
  ])('(%s: %s) refuses with a code and is as it was', async (calls, error, last) => {
    for (let nth = 1; nth <= last; nth++) await failCall(calls, error, nth)
  })
})

test('a store that is killed at any time lays out what it holds when it starts again', async () => {
  for (let round = 0; round < 100; round++) await killAtAnyTime()
})
