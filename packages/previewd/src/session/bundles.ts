import { hash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { PreviewdError } from '../errors.ts'
import type { Environment, NodeProgram } from '../model/environment.ts'
import type { FileEntry, Snapshot } from '../model/files.ts'
import type { DevTask } from '../model/worker.ts'
import { DevServerFailed, DevWorker, type DevWorkerParts } from './dev-worker.ts'
import type { KeptBundle } from './kept/bundle.ts'
import type { KeptFiles } from './kept/kept-files.ts'
import { bundleRecipe, type Recipe } from './kept/recipe.ts'
import { askAll } from './kept/record-page.ts'
import type { SharedBundles } from './kept/shared-bundles.ts'

export interface BundleParts extends DevWorkerParts {
  kept: KeptFiles
  shared: SharedBundles
}

/** What a dev server is about to start with. */
export interface BundleOf {
  root: string
  task: DevTask
  environment: Environment
  program: NodeProgram | undefined
}

/** A bundle of a large app takes seconds. */
const BUNDLE_TIMEOUT_MS = 60_000
/** What may be the address of a bundled dependency in what Vite made of an import. */
const ADDRESS = /"(\/[^"\s]{1,500})"/g
const MAX_DEPENDENCIES = 1000

/**
 * The bundle of its dependencies that a project kept, else one that was made for every project like it; where there is
 * none of those either, it is made for the next.
 */
export async function findBundle(
  parts: BundleParts,
  snapshot: Snapshot,
  of: BundleOf,
): Promise<KeptBundle | undefined> {
  const { environment, root } = of
  const own = await parts.kept.bundle(snapshot.project, environment, root)
  if (own) return own
  const recipe = await bundleRecipe(snapshot, of)
  if (!recipe) return undefined
  const shared = await parts.shared.open(recipe, environment, root)
  if (!shared)
    parts.shared.want(recipe, (wanted, path, signal) => makeBundle(parts, wanted, of, path, signal))
  return shared
}

/** In a worker that has nothing but the recipe; rejects where no bundle comes of it. */
async function makeBundle(
  parts: DevWorkerParts,
  recipe: Recipe,
  of: BundleOf,
  path: string,
  closing: AbortSignal,
): Promise<void> {
  const { task, environment, program } = of
  if (task.kind !== 'vite-dev') return
  const { mode, root, kind } = task
  const neutral = { kind, root, env: {}, ...(mode !== undefined && { mode }) }
  const quiet = { ...parts, onLog: () => undefined }
  const spec = { task: neutral, egress: 'none' as const, environment, program, inBackground: true as const }
  const signal = AbortSignal.any([closing, AbortSignal.timeout(BUNDLE_TIMEOUT_MS)])
  const worker = await DevWorker.start(quiet, spec, new RecipeSnapshot(recipe), signal)
  try {
    const dependencies = await askForModule(worker, recipe.entry)
    if (dependencies.length === 0) throw new DevServerFailed('Nothing was bundled.')
    const requests = dependencies.map((url) => ({ url, accept: 'any' as const, isModule: true }))
    await askAll(worker.server.socket, requests, undefined, BUNDLE_TIMEOUT_MS)
    await worker.server.freshen()
    await worker.collectBundle(path)
    await stat(path)
  } finally {
    await worker.stop()
  }
}

/** Addresses of the dependencies that a module imports. */
async function askForModule(worker: DevWorker, url: string): Promise<string[]> {
  let text = ''
  const request = { url, accept: 'any' as const, isModule: true }
  const keep = (_: unknown, { body }: { body: Buffer }) => (text = body.toString('utf8'))
  await askAll(worker.server.socket, [request], keep, BUNDLE_TIMEOUT_MS)
  const addresses = Iterator.from(text.matchAll(ADDRESS)).map(([, found = '']) => found)
  return [...addresses.filter((address) => address.includes('/deps/')).take(MAX_DEPENDENCIES)]
}

/** The files of a recipe, as those of a project that nobody has. */
class RecipeSnapshot implements Snapshot {
  readonly project = ''
  readonly revision = 1
  readonly files: ReadonlyMap<string, FileEntry>
  readonly #contents: ReadonlyMap<string, Buffer>

  constructor({ files }: Recipe) {
    this.#contents = files
    const entries = [...files].map(
      ([path, content]) => [path, { path, size: content.length, sha256: hash('sha256', content) }] as const,
    )
    this.files = new Map(entries)
  }

  async read(path: string): Promise<Buffer> {
    const content = this.#contents.get(path)
    if (!content) throw new PreviewdError('FILE_NOT_FOUND', `There is no file ${path}.`)
    return content
  }

  async *stream(path: string): AsyncGenerator<Buffer> {
    yield await this.read(path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve()
  }
}
