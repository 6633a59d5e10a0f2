import { randomInt } from 'node:crypto'
import type { Build } from '../model/build.ts'
import type { ProjectSettings } from '../model/project.ts'

/** Settings that decide what a build makes of the same files. */
const BUILD_SETTINGS = [
  'root',
  'framework',
  'buildCommand',
  'outputDir',
  'nodeVersion',
  'mode',
  'envSets',
  'env',
] as const

export function newBuild(project: string, revision: number, syncMs: number | undefined): Build {
  const timings = syncMs === undefined ? {} : { syncMs }
  return {
    id: newBuildId(),
    project,
    revision,
    state: 'queued',
    queuedAt: new Date().toISOString(),
    diagnostics: [],
    timings,
  }
}

/** A build that was queued before, as it was then. */
export function requeued({ id, project, queuedAt }: Build, revision: number): Build {
  return { id, project, revision, state: 'queued', queuedAt, diagnostics: [], timings: {} }
}

/** 12 characters of [a-z0-9]. */
function newBuildId(): string {
  const half = () =>
    randomInt(36 ** 6)
      .toString(36)
      .padStart(6, '0')
  return half() + half()
}

/** True where the same files would be built differently. */
export function buildsOtherwise(before: ProjectSettings, after: ProjectSettings): boolean {
  return BUILD_SETTINGS.some((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
}
