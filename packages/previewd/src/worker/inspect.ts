import type { SandboxStatus } from '../model/worker.ts'
import { SandboxedWorkers, type WorkersOptions } from './workers.ts'

export interface SandboxInspection {
  status: SandboxStatus
  /** Undefined where it is missing. */
  bwrapVersion: string | undefined
  /** Undefined where no control groups can be made. */
  cgroupVersion: 1 | 2 | undefined
}

/** Looks for the layers of the sandbox as the server would, and starts a worker on trial. */
export async function inspectSandbox(options: Omit<WorkersOptions, 'slots'>): Promise<SandboxInspection> {
  const workers = new SandboxedWorkers({ ...options, slots: 1 })
  try {
    const { tools, cgroups } = await workers.machinery()
    return {
      status: await workers.status(),
      bwrapVersion: tools?.bwrap.version,
      cgroupVersion: cgroups?.version,
    }
  } finally {
    await workers.close()
  }
}
