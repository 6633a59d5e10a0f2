import type { Artifact, Artifacts } from '../model/artifact.ts'
import type { Build } from '../model/build.ts'
import type { FileEntry } from '../model/files.ts'
import type { Builds } from '../model/store.ts'
import { isBundled } from './cache-control.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Builds looked through for one request. */
const MAX_BUILDS = 12

/**
 * The file of an earlier build that a page opened before the newest publish still asks for: hashed assets stay for
 * a day after their build was superseded. `suffix` is what ids of variants have behind the build's.
 */
export async function findEarlierAsset(
  path: string,
  project: { id: string; published: string; suffix?: string },
  parts: { builds: Pick<Builds, 'list'>; artifacts: Pick<Artifacts, 'open'>; nowMs: number },
): Promise<{ artifact: Artifact; entry: FileEntry } | undefined> {
  if (!isBundled(path)) return undefined
  const kept = parts.builds.list(project.id, { limit: MAX_BUILDS }).items
  for (const build of recentlySuperseded(kept, parts.nowMs)) {
    if (build.id === project.published) continue
    const artifact = await openIfKept(parts.artifacts, build, project.suffix)
    const entry = artifact?.files.get(path.slice(1))
    if (artifact !== undefined && entry !== undefined) return { artifact, entry }
  }
  return undefined
}

/** Succeeded builds, newest first, that were the newest one until less than a day ago. */
function* recentlySuperseded(builds: readonly Build[], nowMs: number): Generator<Build, void, undefined> {
  let supersededAtMs = nowMs
  for (const build of builds) {
    if (build.state !== 'succeeded') continue
    if (nowMs - supersededAtMs > DAY_MS) return
    yield build
    supersededAtMs = Date.parse(build.finishedAt ?? build.queuedAt)
  }
}

async function openIfKept(
  artifacts: Pick<Artifacts, 'open'>,
  build: Build,
  suffix = '',
): Promise<Artifact | undefined> {
  try {
    return await artifacts.open(build.project, build.id + suffix)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'BUILD_NOT_FOUND') return undefined
    throw error
  }
}
