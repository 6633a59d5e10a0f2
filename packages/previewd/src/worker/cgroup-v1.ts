import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import {
  type Cgroup,
  type CgroupHierarchy,
  DEFAULT_CPU_WEIGHT,
  daemonGroupName,
  emptyAndRemove,
  isWritable,
  makeGroup,
  readKeyedCount,
  readKeyedSum,
  removeGroup,
  sweepDeadDaemons,
  writeSetting,
} from './cgroup.ts'

const SWEEP_TIMEOUT_MS = 5_000
const CONTROLLERS = ['memory', 'pids', 'cpu'] as const
/** cpu.shares of the default weight 100. */
const SHARES_PER_WEIGHT = 10.24

/** Control groups v1 (Documentation/admin-guide/cgroup-v1): a directory below each controller's root. */
export async function openCgroupV1(root: string): Promise<CgroupHierarchy | string> {
  for (const controller of CONTROLLERS) {
    if (!(await isWritable(join(root, controller, 'cgroup.procs')))) {
      return `The cgroup controller ${controller} at ${root} is missing or not writable.`
    }
  }
  const daemon = await daemonGroupName()
  const parents = CONTROLLERS.map((controller) => join(root, controller, 'previewd'))
  return {
    version: 1,
    create: async (name, limits) => {
      const directory = (controller: string) => join(root, controller, 'previewd', daemon, name)
      const memory = String(limits.memoryBytes)
      await makeGroup(directory('memory'), { 'memory.limit_in_bytes': memory })
      // Memory and swap together: the same value means no swap. Absent where swap is not accounted.
      if (await isWritable(join(directory('memory'), 'memory.memsw.limit_in_bytes'))) {
        await makeGroup(directory('memory'), { 'memory.memsw.limit_in_bytes': memory })
      }
      await makeGroup(directory('pids'), { 'pids.max': String(limits.processes) })
      await makeGroup(directory('cpu'), { 'cpu.shares': sharesOf(limits.cpuWeight) })
      // The groups above weigh as much as one program on each processor: as a single one, all workers together
      // would starve beside a few busy programs that are in no group.
      for (const above of [join(root, 'cpu', 'previewd'), join(root, 'cpu', 'previewd', daemon)]) {
        await makeGroup(above, { 'cpu.shares': sharesOf(DEFAULT_CPU_WEIGHT * availableParallelism()) })
      }
      return groupOf(CONTROLLERS.map(directory), directory('memory'), directory('cpu'))
    },
    sweep: async () => {
      for (const parent of parents) await sweepDeadDaemons(parent, SWEEP_TIMEOUT_MS)
    },
    close: async () => {
      for (const parent of parents) {
        // The parent is shared with other daemons and stays while they have groups in it.
        if (await removeGroup(join(parent, daemon))) await removeGroup(parent)
      }
    },
  }
}

function sharesOf(weight: number): string {
  return String(Math.max(2, Math.round(weight * SHARES_PER_WEIGHT)))
}

function groupOf(directories: string[], memory: string, cpu: string): Cgroup {
  return {
    joinFiles: directories.map((directory) => join(directory, 'cgroup.procs')),
    oomKills: () => readKeyedCount(join(memory, 'memory.oom_control'), 'oom_kill'),
    memoryBytes: () => readKeyedSum(join(memory, 'memory.stat'), ['total_rss', 'total_shmem']),
    peakMemoryBytes: async () =>
      Number(await readFile(join(memory, 'memory.max_usage_in_bytes'), 'utf8').catch(() => '0')),
    setCpuWeight: (weight) => writeSetting(cpu, 'cpu.shares', sharesOf(weight)),
    destroy: async (timeoutMs) => {
      const results = await Promise.all(directories.map((directory) => emptyAndRemove(directory, timeoutMs)))
      return results.every(Boolean)
    },
  }
}
