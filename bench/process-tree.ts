import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

const LOOK_EVERY_MS = 150
const LONGEST_MS = 60_000

/** The process and all that it has started and what they started. */
export function withDescendants(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (/^\d+$/.test(name)) parents.set(Number(name), Number(statOf(name)[1]))
  }
  const found = [pid]
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.push(child)
  return found
}

/**
 * Waits until a tree of processes rests: what the server does after an answer (compressing, warming the next worker)
 * belongs to no sample. Clock ticks are of 10 ms on Linux.
 */
export async function settled(pid: number): Promise<void> {
  const deadline = performance.now() + LONGEST_MS
  for (let before = ticks(pid); performance.now() < deadline; ) {
    await pause(LOOK_EVERY_MS)
    const now = ticks(pid)
    if (now - before <= 1) return
    before = now
  }
}

function ticks(pid: number): number {
  return withDescendants(pid).reduce((sum, one) => {
    const stat = statOf(String(one))
    return sum + Number(stat[11] ?? 0) + Number(stat[12] ?? 0)
  }, 0)
}

/** What /proc/PID/stat says from the state on (proc(5), field 3); nothing of a process that has ended. */
function statOf(pid: string): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}
