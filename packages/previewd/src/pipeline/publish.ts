import { PreviewdError } from '../errors.ts'
import type { Artifacts } from '../model/artifact.ts'
import type { Build } from '../model/build.ts'
import type { Builds, Projects } from '../model/store.ts'

/** Moves what viewers see to a build that has just succeeded; never back to an older revision. */
export function publishNewer(projects: Projects, build: Build): boolean {
  const project = projects.get(build.project)
  if (!project || (project.published?.revision ?? 0) > build.revision) return false
  projects.setPublished(build.project, { buildId: build.id, revision: build.revision })
  return true
}

/**
 * Makes an earlier good build the one that viewers see. It stays until a build of a newer revision than its own
 * succeeds. Rejects with BUILD_NOT_FOUND, or BUILD_NOT_PUBLISHABLE for a build that failed or was removed.
 */
export async function publishBuild(
  { projects, builds, artifacts }: { projects: Projects; builds: Builds; artifacts: Artifacts },
  project: string,
  buildId: string,
): Promise<Build> {
  const build = builds.get(project, buildId)
  if (!build) throw new PreviewdError('BUILD_NOT_FOUND', 'The project has no such build.')
  if (build.state !== 'succeeded') {
    throw new PreviewdError('BUILD_NOT_PUBLISHABLE', `The build is ${build.state}, not succeeded.`)
  }
  try {
    await artifacts.open(project, buildId)
  } catch (error) {
    if (!(error instanceof PreviewdError && error.code === 'BUILD_NOT_FOUND')) throw error
    throw new PreviewdError('BUILD_NOT_PUBLISHABLE', 'The files of the build were removed.', { cause: error })
  }
  projects.setPublished(project, { buildId, revision: build.revision })
  return build
}
