import { detect } from '../build/detect.ts'
import { hasViteTask, planBuild } from '../build/plan.ts'
import { PreviewdError } from '../errors.ts'
import type { Artifact, Artifacts } from '../model/artifact.ts'
import type { PipelineParts } from './parts.ts'

/** The artifact that holds a build's variant below `/preview/{project}/`. */
export function variantId(buildId: string): string {
  return `${buildId}-path`
}

export function variantBase(project: string): string {
  return `/preview/${project}/`
}

/** An artifact, or undefined where there is none. */
export async function openArtifact(
  artifacts: Artifacts,
  project: string,
  id: string,
): Promise<Artifact | undefined> {
  try {
    return await artifacts.open(project, id)
  } catch (error) {
    if (error instanceof PreviewdError && error.code === 'BUILD_NOT_FOUND') return undefined
    throw error
  }
}

/** True where the project, as its files are now, builds with Vite, so that its output depends on the base. */
export async function buildsWithBase(
  { files, projects, config }: PipelineParts,
  project: string,
): Promise<boolean> {
  const settings = projects.get(project)?.settings
  if (!settings) return false
  await using snapshot = await files.snapshot(project)
  const { shape } = await detect(snapshot, settings)
  return shape !== null && hasViteTask(planBuild(shape, settings, config.allowedEnv))
}
