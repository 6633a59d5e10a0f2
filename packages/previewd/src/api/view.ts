import type { Project, SourceSettings } from '../model/project.ts'
import type { ProjectStatus } from '../model/status.ts'

/** A project as the API shows it: settings flat, as they are put; of variables only the names. */
export function projectView(project: Project, status: ProjectStatus) {
  const { env, envSets, source, ...settings } = project.settings
  const sets = Object.entries(envSets).map(([name, set]) => [name, { ...set, env: namesOf(set.env) }])
  return {
    id: project.id,
    ...settings,
    source: sourceView(source),
    env: namesOf(env),
    envSets: Object.fromEntries(sets),
    revision: project.revision,
    published: project.published ?? null,
    createdAt: project.createdAt,
    activeAt: project.activeAt,
    state: status.state,
    urls: status.urls,
  }
}

/** As it can be put again. */
function sourceView(source: SourceSettings) {
  if (source.kind !== 'git') return source
  const { isTrusted: _, ...asked } = source
  return asked
}

function namesOf(env: Record<string, string>): Record<string, null> {
  return Object.fromEntries(Object.keys(env).map((name) => [name, null]))
}
