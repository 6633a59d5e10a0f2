import { posix } from 'node:path'
import { type BuiltServer, CODE, DESCRIPTION, SOURCES } from '../model/app-server.ts'
import type { ArtifactWriter } from '../model/artifact.ts'
import type { Snapshot } from '../model/files.ts'
import { type OutputLimits, type Worker, WorkerError } from '../model/worker.ts'
import { addEntry } from './output.ts'
import { APP, type TaskPlan } from './plan.ts'
import type { ServerRecipe } from './server-rendered.ts'

/** Larger files of the project are pictures and the like, which the site has. */
const MAX_SOURCE_BYTES = 1024 * 1024

export interface ServerSource {
  plan: TaskPlan
  snapshot: Snapshot
  limits: OutputLimits
}

/**
 * Takes the server that a build left into an artifact of its own, with the project's files; false where the build left
 * none of this kind. The writer is sealed or aborted. Rejects with a WorkerError for what cannot be taken.
 */
export async function takeServer(
  worker: Worker,
  recipe: ServerRecipe,
  create: () => Promise<ArtifactWriter>,
  { plan, snapshot, limits }: ServerSource,
): Promise<boolean> {
  let opened: ArtifactWriter | undefined
  // Most builds leave one kind of server or none.
  const open = async () => (opened ??= await create())
  try {
    const { paths, links } = await takeCode(worker, recipe, plan.root, open, limits)
    if (!paths.has(posix.join(plan.root, recipe.entry))) {
      await opened?.abort()
      return false
    }
    const writer = await open()
    for (const { path, size } of snapshot.files.values()) {
      if (size <= MAX_SOURCE_BYTES) await writer.add(SOURCES + path, await snapshot.read(path))
    }
    const { framework, entry, run, needsPackages } = recipe
    const site = recipe.site[0] ?? 'public'
    const how = { framework, root: plan.root, entry, run, site, needsPackages }
    const built: BuiltServer = { ...how, links }
    await writer.add(DESCRIPTION, Buffer.from(JSON.stringify(built)))
    await writer.seal()
    return true
  } catch (error) {
    await opened?.abort()
    throw error
  }
}

async function takeCode(
  worker: Worker,
  recipe: ServerRecipe,
  root: string,
  open: () => Promise<ArtifactWriter>,
  limits: OutputLimits,
): Promise<{ paths: Set<string>; links: BuiltServer['links'] }> {
  const paths = new Set<string>()
  const links: BuiltServer['links'] = []
  for (const folder of recipe.code) {
    const place = posix.join(root, folder)
    try {
      for await (const entry of worker.collect(posix.join(APP, place), limits)) {
        const path = posix.join(place, entry.path)
        if (entry.kind === 'link') links.push({ kind: 'link', path, target: entry.target })
        else if (!recipe.site.some((site) => path.startsWith(`${posix.join(root, site)}/`))) {
          if (await addEntry(await open(), CODE + path, entry.content)) paths.add(path)
        }
      }
    } catch (error) {
      if (!(error instanceof WorkerError && error.reason === 'missing_output')) throw error
    }
  }
  return { paths, links }
}
