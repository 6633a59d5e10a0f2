import { join } from 'node:path'
import { PreviewdError } from '../errors.ts'

/** Ids become folder names. */
const SAFE_ID = /^[a-z0-9][a-z0-9-]{0,79}$/

/** Where an artifact stands: its folder, the pack of its files, and the pack of their compressed variants. */
export interface ArtifactFiles {
  directory: string
  content: string
  encoded: string
}

export function artifactFiles(dataDir: string, project: string, buildId: string): ArtifactFiles {
  if (!SAFE_ID.test(project) || !SAFE_ID.test(buildId)) throw buildNotFound()
  const directory = join(dataDir, 'projects', project, 'builds', buildId)
  return { directory, content: join(directory, 'artifact.pack'), encoded: join(directory, 'encoded.pack') }
}

export function buildNotFound(): PreviewdError {
  return new PreviewdError('BUILD_NOT_FOUND', 'The build has no artifact, or it was removed.')
}
