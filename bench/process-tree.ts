import { setTimeout as pause } from 'node:timers/promises'
import { statOf, withDescendants } from '../packages/previewd/test/e2e/process-tree.ts'

const LOOK_EVERY_MS = 150
const LONGEST_MS = 60_000

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
