import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openCgroupV1 } from '../../src/worker/cgroup-v1.ts'

it('the group of a worker is there before those above it get their weight: nobody removes them then', async () => {
  // Plain files stand for those of the kernel; a folder in the place of one is a group above that cannot be set.
  const root = await mkdtemp(join(tmpdir(), 'previewd-cgroup-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  for (const controller of ['memory', 'pids', 'cpu']) {
    await mkdir(join(root, controller))
    await writeFile(join(root, controller, 'cgroup.procs'), '')
  }
  await mkdir(join(root, 'cpu/previewd/cpu.shares'), { recursive: true })
  const hierarchy = await openCgroupV1(root)
  if (typeof hierarchy === 'string') throw new Error(hierarchy)
  const creating = hierarchy.create('project-0', { memoryBytes: 1024, processes: 7, cpuWeight: 50 })
  await expect(creating).rejects.toThrow('EISDIR')
  const made = await readdir(join(root, 'cpu/previewd'), { recursive: true })
  expect(made).toContainEqual(expect.stringMatching(/\/project-0$/))
})
