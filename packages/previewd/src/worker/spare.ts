import type { WorkerSpec } from '../model/worker.ts'
import type { LaunchedSpec } from './launcher.ts'
import type { Runner } from './runner.ts'

const MIB = 1024 * 1024
/** Projects differ in size; with these steps, most want the same worker. */
const APP_STEP_BYTES = 64 * MIB

/**
 * A worker that was started ahead of its use, as the last one was, and waits. It has seen nothing of any project and
 * serves one, once; what it saves is the time that a sandbox and two Nodes take to start.
 */
export class SpareWorker {
  #waiting: { key: string; runner: Runner } | undefined

  get isThere(): boolean {
    return this.#waiting !== undefined
  }

  put(spec: LaunchedSpec, runner: Runner): void {
    const waiting = { key: keyOf(spec), runner }
    this.#waiting = waiting
    // Ended by its idle time, say.
    void runner.done.then(() => {
      if (this.#waiting === waiting) this.#waiting = undefined
    })
  }

  /** The worker, where it is of this kind. */
  take(spec: LaunchedSpec): Runner | undefined {
    if (this.#waiting?.key !== keyOf(spec)) return undefined
    const { runner } = this.#waiting
    this.#waiting = undefined
    return runner
  }

  /** Gives its place to another. */
  dismiss(): void {
    void this.#waiting?.runner.stop()
    this.#waiting = undefined
  }
}

/** With the space of /app rounded up, unless it is small. Time and signal are no part of it: they begin with the use. */
export function commonSpec({ limits, binds, node, role, bridge, listen }: WorkerSpec): LaunchedSpec {
  const rounded = Math.ceil(limits.appBytes / APP_STEP_BYTES) * APP_STEP_BYTES
  const appBytes = limits.appBytes < APP_STEP_BYTES ? limits.appBytes : rounded
  return {
    limits: { ...limits, appBytes },
    binds,
    ...(node === undefined ? {} : { node }),
    role,
    ...(bridge ? { bridge } : {}),
    ...(listen ? { listen } : {}),
  }
}

function keyOf({ limits: { wallMs: _, ...limits }, ...rest }: LaunchedSpec): string {
  return JSON.stringify([limits, rest])
}
