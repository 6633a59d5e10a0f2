import { mkdir, readFile, writeFile } from 'node:fs/promises'
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
  readMembers,
  removeGroup,
  sweepDeadDaemons,
  writeSetting,
} from './cgroup.ts'

const SWEEP_TIMEOUT_MS = 5_000
/** The kernel's limit is 10,000. */
const MAX_WEIGHT_FACTOR = 100
/** Where processes go that are in the way. */
const LEAF = 'daemon'
const CONTROLLERS = ['memory', 'pids', 'cpu'] as const

/**
 * Control groups v2 (Documentation/admin-guide/cgroup-v2). `membership` is the text of /proc/self/cgroup. Returns a
 * sentence where they cannot be used.
 */
export async function openCgroupV2(root: string, membership: string): Promise<CgroupHierarchy | string> {
  const own = /^0::(.*)$/m.exec(membership)?.[1]
  if (own === undefined) return 'The daemon is in no cgroup v2 group.'
  const base = await chooseBase(root, own)
  const controllers = (await readFile(join(base, 'cgroup.controllers'), 'utf8').catch(() => '')).split(/\s+/)
  const missing = CONTROLLERS.filter((controller) => !controllers.includes(controller))
  if (missing.length > 0) return `The cgroup ${base} has no controller ${missing.join(', ')}.`
  if (!(await isWritable(join(base, 'cgroup.subtree_control')))) {
    return `The cgroup ${base} is not delegated to the daemon.`
  }
  try {
    if (base !== root) await moveMembers(base)
    const daemon = join(base, 'previewd', await daemonGroupName())
    await makeParents(base, daemon)
    return hierarchyAt(base, daemon)
  } catch (cause) {
    return `The controllers of the cgroup ${base} cannot be enabled: ${(cause as Error).message}.`
  }
}

/**
 * The daemon's own group where it is alone in it, as in a systemd service with `Delegate=yes`; else, as from a shell
 * or in a container, the root of the hierarchy.
 */
async function chooseBase(root: string, own: string): Promise<string> {
  // Where an earlier call has moved this process.
  const group = join(root, own.replace(/\/daemon$/, ''))
  const members = [...(await readMembers(group)), ...(await readMembers(join(group, LEAF)))]
  const alone = members.length > 0 && members.every((pid) => pid === process.pid)
  return alone && (await isWritable(join(group, 'cgroup.subtree_control'))) ? group : root
}

async function makeParents(base: string, daemon: string): Promise<void> {
  await makeGroup(daemon)
  for (const directory of [base, join(base, 'previewd'), daemon]) await enableControllers(directory)
  // Beside the daemon itself; the same weight would let one thread of it take as much as all workers.
  const weight = String(DEFAULT_CPU_WEIGHT * Math.min(availableParallelism(), MAX_WEIGHT_FACTOR))
  for (const directory of [join(base, 'previewd'), daemon])
    await makeGroup(directory, { 'cpu.weight': weight })
}

async function enableControllers(directory: string): Promise<void> {
  const control = join(directory, 'cgroup.subtree_control')
  const enabled = (await readFile(control, 'utf8')).split(/\s+/)
  if (CONTROLLERS.every((controller) => enabled.includes(controller))) return
  const wanted = CONTROLLERS.map((controller) => `+${controller}`).join(' ')
  try {
    await writeFile(control, wanted)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
    await moveMembers(directory)
    await writeFile(control, wanted)
  }
}

/** A group that has processes of its own cannot hand controllers down (except the root of the machine). */
async function moveMembers(directory: string): Promise<void> {
  const leaf = join(directory, LEAF)
  await mkdir(leaf, { recursive: true })
  for (const pid of await readMembers(directory)) {
    await writeFile(join(leaf, 'cgroup.procs'), String(pid)).catch((error: NodeJS.ErrnoException) => {
      // Ended meanwhile.
      if (error.code !== 'ESRCH') throw error
    })
  }
}

function hierarchyAt(base: string, daemon: string): CgroupHierarchy {
  return {
    version: 2,
    create: async (name, limits) => {
      const directory = join(daemon, name)
      await makeGroup(directory)
      await makeParents(base, daemon)
      await makeGroup(directory, {
        'memory.max': String(limits.memoryBytes),
        // Only the largest process dies of memory: what is left can say so.
        'memory.oom.group': '0',
        'pids.max': String(limits.processes),
        'cpu.weight': String(limits.cpuWeight),
      })
      // Absent where swap is not accounted.
      if (await isWritable(join(directory, 'memory.swap.max'))) {
        await writeFile(join(directory, 'memory.swap.max'), '0')
      }
      return groupAt(directory)
    },
    sweep: () => sweepDeadDaemons(join(base, 'previewd'), SWEEP_TIMEOUT_MS),
    close: async () => {
      if (await removeGroup(daemon)) await removeGroup(join(base, 'previewd'))
    },
  }
}

function groupAt(directory: string): Cgroup {
  return {
    joinFiles: [join(directory, 'cgroup.procs')],
    oomKills: () => readKeyedCount(join(directory, 'memory.events'), 'oom_kill'),
    memoryBytes: () => readKeyedSum(join(directory, 'memory.stat'), ['anon', 'shmem']),
    peakMemoryBytes: async () =>
      Number(await readFile(join(directory, 'memory.peak'), 'utf8').catch(() => '0')),
    setCpuWeight: (weight) => writeSetting(directory, 'cpu.weight', String(weight)),
    destroy: async (timeoutMs) => {
      // Kills members and those that fork meanwhile at once; since Linux 5.14, the loop below does for the rest.
      if (await isWritable(join(directory, 'cgroup.kill')))
        await writeFile(join(directory, 'cgroup.kill'), '1')
      return emptyAndRemove(directory, timeoutMs)
    },
  }
}
