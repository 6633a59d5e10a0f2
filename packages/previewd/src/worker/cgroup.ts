import { access, constants, mkdir, readdir, readFile, readlink, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { WorkerLimits } from '../model/worker.ts'

export type CgroupLimits = Pick<WorkerLimits, 'memoryBytes' | 'processes' | 'cpuWeight'>

/** The groups of one worker: one directory on v2, one for each controller on v1. */
export interface Cgroup {
  /** Files that a process writes its id to, to join. */
  readonly joinFiles: readonly string[]
  /** Times that the kernel killed for memory. */
  oomKills(): Promise<number>
  /** What its processes hold, files in memory included; not what the kernel keeps of files that others share. */
  memoryBytes(): Promise<number>
  setCpuWeight(weight: number): Promise<void>
  peakMemoryBytes(): Promise<number>
  /** Ends all members and removes the group; false when some could not be ended within the time. */
  destroy(timeoutMs: number): Promise<boolean>
}

export interface CgroupHierarchy {
  readonly version: 1 | 2
  create(name: string, limits: CgroupLimits): Promise<Cgroup>
  /** Ends and removes the groups of daemons that live no more. */
  sweep(): Promise<void>
  /** Removes the daemon's own group, which must be empty. */
  close(): Promise<void>
}

/** What a group or a program weighs that nobody gave a weight. */
export const DEFAULT_CPU_WEIGHT = 100
const POLL_MS = 5
/** A daemon that ends does so once. */
const MAX_TRIES = 100

/** Reads a count from a flat keyed file such as `memory.events`; 0 where the file or the key is missing. */
export async function readKeyedCount(file: string, key: string): Promise<number> {
  return await readKeyedSum(file, [key])
}

export async function readKeyedSum(file: string, keys: readonly string[]): Promise<number> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const lines = text.split('\n').map((line) => line.split(' '))
  return lines.reduce((sum, [key = '', count]) => (keys.includes(key) ? sum + Number(count) : sum), 0)
}

/** Kills what is in the group until it is empty, then removes it. New forks are met by the next round. */
export async function emptyAndRemove(directory: string, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const members = await readMembers(directory)
    for (const pid of members) killQuietly(pid)
    if (members.length === 0 && (await removeGroup(directory))) return true
    if (performance.now() > deadline) return false
    await delay(POLL_MS)
  }
}

/** Ids of processes in the group; those of other PID namespaces are 0 and left out. */
export async function readMembers(directory: string): Promise<number[]> {
  const text = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '')
  return text.split('\n').flatMap((line) => (line === '' || line === '0' ? [] : Number(line)))
}

/** No matter whether it is already gone. */
export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** False while the kernel still counts members that are exiting, or while there are groups below (EBUSY). */
export async function removeGroup(directory: string): Promise<boolean> {
  try {
    await rmdir(directory)
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') return true
    if (code === 'EBUSY') return false
    throw error
  }
}

/**
 * The name of this daemon's parent group: its PID namespace, id and start time, by which a later daemon tells whether
 * it still lives.
 */
export async function daemonGroupName(pid: number | 'self' = 'self'): Promise<string> {
  const namespace = /\d+/.exec(await readlink('/proc/self/ns/pid'))?.[0] ?? '0'
  return `${namespace}-${pid === 'self' ? process.pid : pid}-${await startTime(pid)}`
}

/** Field 22 of /proc/{pid}/stat; the name in field 2 may hold spaces and parentheses. */
async function startTime(pid: number | 'self'): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

/** Empties and removes groups below `parent` whose daemon is gone. Groups of other PID namespaces cannot be judged. */
export async function sweepDeadDaemons(parent: string, timeoutMs: number): Promise<void> {
  const own = await daemonGroupName()
  const namespace = own.slice(0, own.indexOf('-'))
  for (const name of await readdir(parent).catch(() => [])) {
    const [groupNamespace, pid] = name.split('-')
    if (name === own || groupNamespace !== namespace || pid === undefined) continue
    const current = await daemonGroupName(Number(pid)).catch(() => undefined)
    if (current === name) continue
    await removeGroupTree(join(parent, name), timeoutMs)
  }
}

async function removeGroupTree(directory: string, timeoutMs: number): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (entry.isDirectory()) await removeGroupTree(join(directory, entry.name), timeoutMs)
  }
  await emptyAndRemove(directory, timeoutMs)
}

export async function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  )
}

/** Once it is there, none of those above it can be removed. */
export async function makeGroup(directory: string, settings: Record<string, string> = {}): Promise<void> {
  await makeFolders(directory)
  for (const [name, value] of Object.entries(settings)) await writeSetting(directory, name, value)
}

/** Those above are shared, and another daemon that ends removes one that is empty: between two steps of this, too. */
async function makeFolders(directory: string): Promise<void> {
  for (let left = MAX_TRIES; ; left--) {
    try {
      await mkdir(directory, { recursive: true })
      return
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // ENOTDIR is what Node makes of one that goes while it looks at it.
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || left === 0) throw error
    }
  }
}

/** Rejects with ENOENT where the group is gone: it must not come back. */
export async function writeSetting(directory: string, name: string, value: string): Promise<void> {
  await writeFile(join(directory, name), value)
}
