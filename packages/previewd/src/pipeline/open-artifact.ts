import { PreviewdError } from '../errors.ts'
import type { Artifact, Artifacts } from '../model/artifact.ts'

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
