import type { BuildRun } from '../build/build-run.ts'
import { allowedVariables, type BuildPlan } from '../build/plan.ts'
import type { Artifact } from '../model/artifact.ts'
import type { Build } from '../model/build.ts'
import type { Diagnostic } from '../model/diagnostic.ts'
import { envSetArtifactId } from '../model/env-set.ts'
import type { ProjectSettings } from '../model/project.ts'
import { openArtifact } from './open-artifact.ts'
import type { PipelineParts } from './parts.ts'

/** Builds that are looked through for the newest one that has a set. */
const MAX_BUILDS = 12

/** What a build gets for each set of its project; `build` is told how each went. */
export function envSetBuilds(
  { artifacts, config }: Pick<PipelineParts, 'artifacts' | 'config'>,
  build: Build,
  settings: ProjectSettings,
) {
  return Object.entries(settings.envSets).map(([name, { env, mode }]) => ({
    name,
    env: allowedVariables({ ...settings.env, ...env }, config.allowedEnv),
    ...(mode !== undefined && { mode }),
    create: () => artifacts.create(build.project, envSetArtifactId(build.id, name)),
    done: (state: 'succeeded' | 'failed') => {
      build.envSets = { ...build.envSets, [name]: state }
    },
  }))
}

/** Plain files know no variables, and servers are built once; the latter is a warning. */
export function noteUnbuiltSets(
  build: Build,
  plan: BuildPlan,
  run: Pick<BuildRun, 'server'>,
  { envSets }: ProjectSettings,
): Diagnostic[] {
  const names = Object.keys(envSets)
  const state = run.server ? ('failed' as const) : ('same' as const)
  if (names.length === 0 || (plan.kind !== 'static' && !run.server)) return []
  build.envSets = Object.fromEntries(names.map((name) => [name, state]))
  if (!run.server) return []
  const message = 'Env sets are not built for apps whose pages a server renders.'
  return [{ origin: 'config', severity: 'warning', code: 'ENV_SETS_NOT_BUILT', message }]
}

/** The artifacts of a build besides its own. */
export function envSetIds({ id, envSets = {} }: Build): string[] {
  return Object.keys(envSets).map((name) => envSetArtifactId(id, name))
}

/** All values that must not be in a log. */
export function secretsOf({ env, envSets }: ProjectSettings): Record<string, string> {
  const sets = Object.entries(envSets).flatMap(([set, { env: values }]) =>
    Object.entries(values).map(([name, value]) => [`${set} ${name}`, value]),
  )
  return { ...env, ...Object.fromEntries(sets) }
}

/**
 * What viewers of a set see: its artifact of the published build, while that is not there (yet) the newest of the builds
 * before. `building` where none is there and one may come; undefined for a set that the project does not have.
 */
export async function openEnvSet(
  { artifacts, builds, projects }: Pick<PipelineParts, 'artifacts' | 'builds' | 'projects'>,
  id: string,
  name: string,
  isComing: (buildId: string | undefined) => boolean,
): Promise<Artifact | 'building' | 'failed' | undefined> {
  const project = projects.get(id)
  if (!project || !Object.hasOwn(project.settings.envSets, name)) return undefined
  const published = project.published && builds.get(id, project.published.buildId)
  for (const build of [published, ...builds.list(id, { limit: MAX_BUILDS }).items]) {
    const state = build?.envSets?.[name]
    // Newer ones than the published build are not for viewers yet.
    if (!build || !published || state === undefined || build.revision > published.revision) continue
    const artifactId = state === 'same' ? build.id : envSetArtifactId(build.id, name)
    const artifact = await openArtifact(artifacts, id, artifactId)
    if (artifact) return artifact
  }
  return isComing(published?.id) ? 'building' : 'failed'
}
