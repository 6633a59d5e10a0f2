import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { guardDisk } from '../../src/environment/disk-guard.ts'

test('An install does not begin on a disk with less space than it must leave', async () => {
  const { blocks, bsize } = await statfs(tmpdir())
  await expect(guardDisk(tmpdir(), blocks * bsize * 2)).rejects.toMatchObject({ code: 'STORAGE_FULL' })
})

test('An install goes on while there is space', async () => {
  using guard = await guardDisk(tmpdir(), 1)
  expect(guard.signal.aborted).toBe(false)
})
