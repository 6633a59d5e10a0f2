import { serverId } from '../model/app-server.ts'
import type { Artifacts } from '../model/artifact.ts'
import { type Build, isFinished } from '../model/build.ts'
import type { Builds, Projects } from '../model/store.ts'
import { envSetIds } from './env-sets.ts'
import { variantId } from './variant.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Builds of the last day are kept for open pages that still load from them, up to so many times `kept`. */
const RECENT_FACTOR = 4
const MAX_RECORDS = 100

export interface RetainParts {
  projects: Projects
  builds: Builds
  artifacts: Artifacts
  /** Builds whose files are being removed: they are not to be published any more, also where that failed half-way. */
  removing: Set<string>
}

/**
 * Removes the artifacts of builds that are neither among the newest `kept` that succeeded, nor published, nor less
 * than a day old (within a bound), and the records of builds beyond the newest hundred.
 */
export async function retain(
  parts: RetainParts,
  project: string,
  kept: number,
  nowMs: number,
): Promise<void> {
  const { items } = parts.builds.list(project, { limit: MAX_RECORDS + kept * RECENT_FACTOR })
  const finished = items.filter(({ state }) => isFinished(state))
  const succeeded = finished.filter(({ state }) => state === 'succeeded')
  const remembered = new Set(finished.slice(0, MAX_RECORDS).map(({ id }) => id))
  for (const build of finished) {
    const place = succeeded.indexOf(build)
    if (place >= 0 && isKept(build, place, kept, nowMs)) continue
    if (place < 0 && remembered.has(build.id)) continue
    // Asked anew for each: removals take time, and another build may have been published meanwhile.
    if (parts.projects.get(project)?.published?.buildId !== build.id) await removeBuild(parts, build)
  }
}

/** The record goes last: one whose files are gone is found and removed the next time. */
async function removeBuild({ builds, artifacts, removing }: RetainParts, build: Build): Promise<void> {
  const { project, id } = build
  removing.add(id)
  for (const artifactId of [id, variantId(id), serverId(id), ...envSetIds(build)]) {
    await artifacts.remove(project, artifactId)
  }
  builds.delete(project, id)
  removing.delete(id)
}

function isKept(build: Build, place: number, kept: number, nowMs: number): boolean {
  if (place < kept) return true
  return place < kept * RECENT_FACTOR && nowMs - Date.parse(build.finishedAt ?? build.queuedAt) < DAY_MS
}
