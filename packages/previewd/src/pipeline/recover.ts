import type { Build } from '../model/build.ts'
import { isFinished } from '../model/build.ts'
import type { Project } from '../model/project.ts'
import type { PipelineParts } from './parts.ts'
import { publishNewer } from './publish.ts'
import { newestFinished } from './status.ts'
import { variantId } from './variant.ts'

/** Only what was active last can be without the build or the publish that a killed server owed it. */
const PROJECTS_LOOKED_AT = 1000
const BUILDS_LOOKED_AT = 20

/**
 * Puts right what a killed server left: the newest unfinished build of each project is queued anew and older ones are
 * canceled, a good build that was not published yet is, and a revision that was applied but never queued is built.
 */
export async function recover(
  parts: PipelineParts,
  enqueue: (project: Project, build?: Build) => void,
): Promise<void> {
  const newest = new Map<string, Build>()
  for (const build of parts.builds.unfinished()) {
    const older = newest.get(build.project)
    if (older) cancel(parts, older)
    newest.set(build.project, build)
  }
  for (const build of newest.values()) {
    await parts.artifacts.remove(build.project, build.id)
    await parts.artifacts.remove(build.project, variantId(build.id))
    const project = parts.projects.get(build.project)
    if (project) enqueue(project, build)
    else parts.builds.delete(build.project, build.id)
  }
  for (const project of parts.projects.list({ limit: PROJECTS_LOOKED_AT }).items) {
    if (project.revision > 0 && !newest.has(project.id)) settle(parts, project, enqueue)
  }
}

function settle(parts: PipelineParts, project: Project, enqueue: (project: Project) => void): void {
  const { items } = parts.builds.list(project.id, { limit: BUILDS_LOOKED_AT })
  const last = newestFinished(items)
  if (last?.state === 'succeeded' && last.revision > (project.published?.revision ?? 0)) {
    publishNewer(parts.projects, last)
  }
  if (!items.some(({ state, revision }) => isFinished(state) && revision >= project.revision))
    enqueue(project)
}

function cancel(parts: PipelineParts, build: Build): void {
  parts.builds.update({ ...build, state: 'canceled', finishedAt: new Date().toISOString() })
}
