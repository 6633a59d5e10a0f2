import { PreviewdError } from '../errors.ts'
import type { Artifacts } from '../model/artifact.ts'
import type { Build } from '../model/build.ts'
import type { Builds, Projects } from '../model/store.ts'
import { openArtifact } from './open-artifact.ts'

/** Moves what viewers see to a build that has just succeeded; never back to an older revision. */
export function publishNewer(projects: Projects, build: Build): boolean {
  const project = projects.get(build.project)
  if (!project || (project.published?.revision ?? 0) > build.revision) return false
  projects.setPublished(build.project, { buildId: build.id, revision: build.revision })
  return true
}

export interface PublishParts {
  projects: Projects
  builds: Builds
  artifacts: Artifacts
  /** See {@link RetainParts}. */
  removing: ReadonlySet<string>
}

/**
 * Makes an earlier good build the one that viewers see. It stays until a build of a newer revision than its own
 * succeeds. Rejects with BUILD_NOT_FOUND, also for one that is being removed, or BUILD_NOT_PUBLISHABLE for one that failed.
 */
export async function publishBuild(parts: PublishParts, project: string, buildId: string): Promise<void> {
  const { state, revision } = requireBuild(parts, project, buildId)
  if (state !== 'succeeded') {
    throw new PreviewdError('BUILD_NOT_PUBLISHABLE', `The build is ${state}, not succeeded.`)
  }
  const artifact = await openArtifact(parts.artifacts, project, buildId)
  // Its removal may have begun, or even ended, while its files were opened.
  requireBuild(parts, project, buildId)
  if (!artifact) throw new PreviewdError('BUILD_NOT_PUBLISHABLE', 'The files of the build were removed.')
  parts.projects.setPublished(project, { buildId, revision })
}

function requireBuild({ builds, removing }: PublishParts, project: string, buildId: string): Build {
  const build = removing.has(buildId) ? undefined : builds.get(project, buildId)
  if (!build) throw new PreviewdError('BUILD_NOT_FOUND', 'The project has no such build.')
  return build
}
