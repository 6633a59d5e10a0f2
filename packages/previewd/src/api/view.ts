import type { Project } from '../model/project.ts'
import type { ProjectStatus } from '../model/status.ts'

/** A project as the API shows it: settings flat, as they are put; of variables only the names. */
export function projectView(project: Project, status: ProjectStatus) {
  const { env, ...settings } = project.settings
  return {
    id: project.id,
    ...settings,
    env: Object.fromEntries(Object.keys(env).map((name) => [name, null])),
    revision: project.revision,
    published: project.published ?? null,
    createdAt: project.createdAt,
    activeAt: project.activeAt,
    state: status.state,
    urls: status.urls,
  }
}
