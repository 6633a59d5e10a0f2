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
  const published = parts.projects.get(project)?.published?.buildId
  const finished = items.filter(({ state }) => isFinished(state))
  const succeeded = finished.filter(({ state }) => state === 'succeeded')
  const remembered = new Set(finished.slice(0, MAX_RECORDS).map(({ id }) => id))
  for (const build of finished) {
    if (build.id === published) continue
    const place = succeeded.indexOf(build)
    if (place >= 0 && isKept(build, place, kept, nowMs)) continue
    if (place < 0 && remembered.has(build.id)) continue
    await parts.artifacts.remove(project, build.id)
    await parts.artifacts.remove(project, variantId(build.id))
    await parts.artifacts.remove(project, serverId(build.id))
    for (const artifactId of envSetIds(build)) await parts.artifacts.remove(project, artifactId)
    parts.builds.delete(project, build.id)
  }
}

function isKept(build: Build, place: number, kept: number, nowMs: number): boolean {
  if (place < kept) return true
  return place < kept * RECENT_FACTOR && nowMs - Date.parse(build.finishedAt ?? build.queuedAt) < DAY_MS
}
