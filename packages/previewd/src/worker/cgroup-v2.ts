import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  type Cgroup,
  type CgroupHierarchy,
  daemonGroupName,
  emptyAndRemove,
  isWritable,
  makeGroup,
  readKeyedCount,
  removeGroup,
  sweepDeadDaemons,
} from './cgroup.ts'

const SWEEP_TIMEOUT_MS = 5_000
const CONTROLLERS = ['memory', 'pids', 'cpu'] as const

/**
 * Control groups v2 (Documentation/admin-guide/cgroup-v2): groups below the daemon's own one, which systemd hands
 * over with `Delegate=yes`. `membership` is the text of /proc/self/cgroup.
 */
export async function openCgroupV2(root: string, membership: string): Promise<CgroupHierarchy | string> {
  const own = /^0::(.*)$/m.exec(membership)?.[1]
  if (own === undefined) return 'The daemon is in no cgroup v2 group.'
  // Where an earlier call has moved this process, see enableControllers.
  const base = join(root, own.replace(/\/daemon$/, ''))
  const controllers = (await readFile(join(base, 'cgroup.controllers'), 'utf8').catch(() => '')).split(/\s+/)
  const missing = CONTROLLERS.filter((controller) => !controllers.includes(controller))
  if (missing.length > 0) return `The cgroup ${base} has no controller ${missing.join(', ')}.`
  if (!(await isWritable(join(base, 'cgroup.subtree_control')))) {
    return `The cgroup ${base} is not delegated to the daemon.`
  }
  try {
    await enableControllers(base)
    const daemon = join(base, 'previewd', await daemonGroupName())
    await makeParents(base, daemon)
    return hierarchyAt(base, daemon)
  } catch (cause) {
    return `The controllers of the cgroup ${base} cannot be enabled: ${(cause as Error).message}.`
  }
}

/**
 * A group whose members are processes cannot hand controllers down (except the root), so the daemon moves itself
 * into a leaf first.
 */
async function enableControllers(directory: string): Promise<void> {
  const wanted = CONTROLLERS.map((controller) => `+${controller}`).join(' ')
  const control = join(directory, 'cgroup.subtree_control')
  const members = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '')
  const enabled = (await readFile(control, 'utf8')).split(/\s+/)
  if (CONTROLLERS.every((controller) => enabled.includes(controller))) return
  if (members.split('\n').includes(String(process.pid)) && directory !== dirname(directory)) {
    const leaf = join(directory, 'daemon')
    await mkdir(leaf, { recursive: true })
    await writeFile(join(leaf, 'cgroup.procs'), String(process.pid))
  }
  await writeFile(control, wanted)
}

async function makeParents(base: string, daemon: string): Promise<void> {
  await mkdir(daemon, { recursive: true })
  await enableControllers(join(base, 'previewd'))
  await enableControllers(daemon)
}

function hierarchyAt(base: string, daemon: string): CgroupHierarchy {
  return {
    version: 2,
    create: async (name, limits) => {
      const directory = join(daemon, name)
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
    peakMemoryBytes: async () =>
      Number(await readFile(join(directory, 'memory.peak'), 'utf8').catch(() => '0')),
    destroy: async (timeoutMs) => {
      // Kills members and those that fork meanwhile at once; since Linux 5.14, the loop below does for the rest.
      if (await isWritable(join(directory, 'cgroup.kill')))
        await writeFile(join(directory, 'cgroup.kill'), '1')
      return emptyAndRemove(directory, timeoutMs)
    },
  }
}
