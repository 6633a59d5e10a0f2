import { setTimeout as sleep } from 'node:timers/promises'
import { isFinished } from '../model/build.ts'
import type { InstallProgress } from '../model/environment.ts'
import type { ProjectStatus } from '../model/status.ts'
import type { Client } from './client.ts'
import { CommandFailure, EXIT } from './failure.ts'
import type { Progress } from './progress.ts'

const POLL_MS = 150
/** Longer than any build may take: installs and builds have limits of their own on the server. */
const LIMIT_MS = 30 * 60_000

/** Shows how the build of a revision goes; resolves with the status once it ended, well or not. */
export async function followBuild(
  client: Client,
  project: string,
  revision: number,
  progress: Progress,
): Promise<ProjectStatus> {
  const deadline = Date.now() + LIMIT_MS
  while (Date.now() < deadline) {
    const status = await client.json<ProjectStatus>(`/v1/projects/${project}/status`)
    const { build } = status
    if (build && build.revision >= revision && isFinished(build.state)) return status
    progress.phase(...describe(status))
    await sleep(POLL_MS)
  }
  throw new CommandFailure(
    EXIT.failed,
    `The build of ${project} did not end within ${LIMIT_MS / 60_000} minutes.`,
  )
}

function describe({ state, progress }: ProjectStatus): [phase: string, detail?: string] {
  if (state === 'building') return ['Building']
  if (state !== 'installing') return ['Waiting for a place in the queue']
  return progress ? ['Installing packages', count(progress)] : ['Installing packages']
}

function count({ done, total }: InstallProgress): string {
  return total === undefined ? `${done}` : `${done} of ${total}`
}
