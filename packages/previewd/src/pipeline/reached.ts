import type { Build } from '../model/build.ts'
import type { WaitPoint } from '../model/pipeline.ts'
import type { Project } from '../model/project.ts'
import type { Sessions } from '../model/session.ts'
import type { Builds } from '../model/store.ts'
import type { LiveChanges } from './live-changes.ts'

/** What tells how far the revisions of a project are. */
export interface Progress {
  sessions: Sessions
  builds: Builds
  live: LiveChanges
  /** Builds whose checks are still to end. */
  checking: ReadonlySet<string>
  newestFinished(project: string): Build | undefined
  activeBuild(project: string): Build | undefined
}

/**
 * `built`: a build of that revision or a newer one ended, well or not. `checked`: its type checks did, too. `live`: the
 * session has it or is in error; `built` where there is none. `painted`: an open page shows it, needs no change for it,
 * or is not there.
 */
export function isReached(
  progress: Progress,
  { id, revision: current }: Project,
  { revision, point }: { revision: number; point: WaitPoint },
): boolean {
  if (point === 'applied') return current >= revision
  if (point === 'painted') return progress.live.isPainted(id, revision)
  const session = point === 'live' ? progress.sessions.view(id) : undefined
  if (session && session.state !== 'off') {
    return session.state === 'error' || progress.live.isBroughtIn(id, revision)
  }
  return isBuilt(progress, id, { revision, isChecked: point === 'checked' })
}

function isBuilt(
  { builds, checking, newestFinished, activeBuild }: Progress,
  id: string,
  { revision, isChecked }: { revision: number; isChecked: boolean },
): boolean {
  const finished = newestFinished(id)
  const active = activeBuild(id)
  // A build that is under way for this very revision is the one that was asked for, not the one before it.
  if (finished && finished.revision >= revision && active?.revision !== revision)
    return !isChecked || !checking.has(finished.id)
  if (active) return false
  const [last] = builds.list(id, { limit: 1 }).items
  return last?.state === 'canceled' && last.revision >= revision
}
