import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCgroupV2 } from '../../src/worker/cgroup-v2.ts'

// Plain files stand for those of the kernel: what is written where is seen, not what the kernel makes of it.
let root: string
let own: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'previewd-cgroup-'))
  own = join(root, 'system.slice/previewd.service')
  await mkdir(own, { recursive: true })
})
afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

const MEMBERSHIP = '0::/system.slice/previewd.service\n'

async function delegate(controllers: string) {
  await writeFile(join(own, 'cgroup.controllers'), controllers)
  await writeFile(join(own, 'cgroup.subtree_control'), '')
  await writeFile(join(own, 'cgroup.procs'), `${process.pid}\n`)
}

describe('control groups v2', () => {
  it('hand controllers down from a group that the daemon has left', async () => {
    await delegate('cpu memory pids\n')
    // Where the kernel would make these files itself.
    for (const name of ['previewd', 'daemon']) await mkdir(join(own, name))
    await writeFile(join(own, 'previewd/cgroup.subtree_control'), 'memory pids cpu')
    const opening = openCgroupV2(root, MEMBERSHIP)
    const hierarchy = await opening
    // The daemon's own group is made by it, without the kernel's files in it.
    expect(hierarchy).toContain('ENOENT')
    expect(await readFile(join(own, 'daemon/cgroup.procs'), 'utf8')).toBe(String(process.pid))
    expect(await readFile(join(own, 'cgroup.subtree_control'), 'utf8')).toBe('+memory +pids +cpu')
  })

  it('limit memory without swap, processes and share of the processor', async () => {
    await delegate('cpu memory pids\n')
    await writeFile(join(own, 'cgroup.subtree_control'), 'cpu memory pids')
    await mkdir(join(own, 'previewd'))
    await writeFile(join(own, 'previewd/cgroup.subtree_control'), 'cpu memory pids')
    await expect(openCgroupV2(root, MEMBERSHIP)).resolves.toContain('ENOENT')
    const [daemon = ''] = await readdir(join(own, 'previewd')).then((names) =>
      names.filter((name) => /^\d/.test(name)),
    )
    await writeFile(join(own, 'previewd', daemon, 'cgroup.subtree_control'), 'cpu memory pids')
    const hierarchy = await openCgroupV2(root, MEMBERSHIP)
    if (typeof hierarchy === 'string') throw new Error(hierarchy)
    const directory = join(own, 'previewd', daemon, 'project-0')
    await mkdir(directory)
    await writeFile(join(directory, 'memory.swap.max'), 'max')
    const cgroup = await hierarchy.create('project-0', { memoryBytes: 1024, processes: 7, cpuWeight: 50 })
    const read = (name: string) => readFile(join(directory, name), 'utf8')
    const names = ['memory.max', 'memory.swap.max', 'memory.oom.group', 'pids.max', 'cpu.weight']
    expect(await Promise.all(names.map(read))).toEqual(['1024', '0', '0', '7', '50'])
    expect(cgroup.joinFiles).toEqual([join(directory, 'cgroup.procs')])
    await writeFile(join(directory, 'memory.events'), 'low 0\noom 3\noom_kill 2\noom_group_kill 0\n')
    expect(await cgroup.oomKills()).toBe(2)
    await cgroup.setCpuWeight(10)
    expect(await read('cpu.weight')).toBe('10')
    // A group that is gone does not come back by this.
    await rm(directory, { recursive: true })
    await expect(cgroup.setCpuWeight(10)).rejects.toThrow('ENOENT')
    expect(await readdir(join(own, 'previewd', daemon))).not.toContain('project-0')
  })

  it('are made at the root where the daemon shares its group with others', async () => {
    await delegate('cpu memory pids\n')
    await writeFile(join(own, 'cgroup.procs'), `1\n${process.pid}\n`)
    await writeFile(join(root, 'cgroup.controllers'), 'cpu memory pids')
    await writeFile(join(root, 'cgroup.subtree_control'), 'cpu memory pids')
    await openCgroupV2(root, MEMBERSHIP)
    expect(await readdir(root)).toContain('previewd')
    expect(await readdir(own)).not.toContain('daemon')
  })

  it.each([
    ['the controllers are missing', 'cpu\n', MEMBERSHIP, 'no controller memory, pids'],
    ['the daemon is in no group', 'cpu memory pids\n', '4:memory:/x\n', 'in no cgroup v2 group'],
  ])('are not used when %s', async (_, controllers, membership, problem) => {
    await delegate(controllers)
    expect(await openCgroupV2(root, membership)).toContain(problem)
  })
})
