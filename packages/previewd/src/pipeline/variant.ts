import { LRUCache } from 'lru-cache'
import { detect } from '../build/detect.ts'
import { hasViteTask, planBuild } from '../build/plan.ts'
import type { Artifact } from '../model/artifact.ts'
import { openEnvSet } from './env-sets.ts'
import { openArtifact } from './open-artifact.ts'
import type { PipelineParts } from './parts.ts'

/** The artifact that holds a build's variant below `/preview/{project}/`. */
export function variantId(buildId: string): string {
  return `${buildId}-path`
}

export function variantBase(project: string): string {
  return `/preview/${project}/`
}

const MAX_REMEMBERED = 10_000

export interface VariantWork {
  /** True while the work that follows a publish goes on. */
  isChecking: (buildId: string) => boolean
  isBuilding: (project: string) => boolean
  rebuild: (project: string) => Promise<unknown>
}

/**
 * The artifacts of builds below `/preview/{project}/`. Where path mode asks for them, every Vite build makes its own
 * right after its publish, from the same files in the same worker. A build of the current revision that has none, from
 * before path mode was set, is built anew once; the files of older revisions are not kept. Plain HTML and command
 * builds know no base: theirs is the build itself.
 */
export class Variants {
  readonly #parts: PipelineParts
  readonly #work: VariantWork
  /** Builds that are the same below every base; each request of a page asks. */
  readonly #baseless = new LRUCache<string, true>({ max: MAX_REMEMBERED })
  /** Projects that were built anew for their variant. */
  readonly #rebuilt = new LRUCache<string, true>({ max: MAX_REMEMBERED })

  constructor(parts: PipelineParts, work: VariantWork) {
    this.#parts = parts
    this.#work = work
  }

  /** The artifact; `building` while it comes; `failed` where there is none to wait for. */
  async get(project: string, buildId: string): Promise<Artifact | 'building' | 'failed'> {
    const found = await this.#find(project, buildId)
    if (found !== 'failed') return found
    // Another build was published while this one was looked at, and is the one to ask about.
    const published = this.#parts.projects.get(project)?.published
    return published && published.buildId !== buildId ? 'building' : 'failed'
  }

  async #find(project: string, buildId: string): Promise<Artifact | 'building' | 'failed'> {
    const { artifacts, config } = this.#parts
    if (!this.#baseless.has(buildId)) {
      // Asked before the look, after which it may be there.
      const isComing = this.#work.isChecking(buildId)
      const made = await openArtifact(artifacts, project, variantId(buildId))
      if (made) return made
      if (isComing) return 'building'
    }
    const artifact = await openArtifact(artifacts, project, buildId)
    if (!artifact) return 'failed'
    if (this.#baseless.has(buildId) || config.pathMode === 'redirect') return artifact
    // A server is built for the origin of its project.
    const hasServer = this.#parts.builds.get(project, buildId)?.server !== undefined
    if (!hasServer && (await buildsWithBase(this.#parts, project))) return this.#buildAnew(project, buildId)
    this.#baseless.set(buildId, true)
    return artifact
  }

  /** See {@link openEnvSet}. What a server that ended had not built is built anew once. */
  async envSet(project: string, name: string): Promise<Artifact | 'building' | 'failed' | undefined> {
    const { isChecking, isBuilding } = this.#work
    const isComing = (buildId = '') => isChecking(buildId) || isBuilding(project)
    const opened = await openEnvSet(this.#parts, project, name, isComing)
    const { projects, builds } = this.#parts
    const buildId = projects.get(project)?.published?.buildId
    if (opened !== 'failed' || buildId === undefined) return opened
    const isUnknown = builds.get(project, buildId)?.envSets?.[name] === undefined
    return isUnknown ? await this.#buildAnew(project, buildId) : opened
  }

  async #buildAnew(project: string, buildId: string): Promise<'building' | 'failed'> {
    const { builds, projects } = this.#parts
    if (this.#work.isBuilding(project)) return 'building'
    const isCurrent = builds.get(project, buildId)?.revision === projects.get(project)?.revision
    if (!isCurrent || this.#rebuilt.has(project)) return 'failed'
    this.#rebuilt.set(project, true)
    await this.#work.rebuild(project)
    return 'building'
  }
}

/** True where the project, as its files are now, builds with Vite, so that its output depends on the base. */
async function buildsWithBase({ files, projects, config }: PipelineParts, project: string): Promise<boolean> {
  const settings = projects.get(project)?.settings
  if (!settings) return false
  await using snapshot = await files.snapshot(project)
  const { shape } = await detect(snapshot, settings)
  return shape !== null && hasViteTask(planBuild(shape, settings, config.allowedEnv))
}
