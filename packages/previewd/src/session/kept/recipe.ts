import { hash } from 'node:crypto'
import { posix } from 'node:path'
import type { Environment, NodeProgram } from '../../model/environment.ts'
import type { FileEntry, Snapshot } from '../../model/files.ts'
import type { DevTask } from '../../model/worker.ts'

/**
 * All that a bundle of dependencies is made from, apart from the packages: where two projects have the same, one made
 * for neither of them serves both.
 */
export interface Recipe {
  /** sha256 hex of everything that goes into the bundle. */
  key: string
  /** By path below /app. */
  files: ReadonlyMap<string, Buffer>
  /** Imports every dependency; an address that the dev server answers. */
  entry: string
}

const FORMAT = 1
const CONFIG = /^vite\.config\.[cm]?[jt]s$/
/** Vite takes another lockfile for other packages. */
const LOCKFILE = /^(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?)$/
/** A configuration that brings in other files of the project does not say all by itself. */
const OWN_IMPORT = /\b(?:from|import|require)\s{0,20}(?:\(\s{0,20})?['"]\.{0,2}\//
const SOURCE = /\.(?:[cm]?[jt]sx?|vue|svelte)$/
const NO_SOURCE = /(?:^|\/)(?:node_modules|dist|\.[^/]+)\/|\.d\.ts$|\.(?:test|spec|config)\.[^/]+$/
/** Whose files these are may want the server to search them for ever: nothing here is searched twice. */
const IMPORT = /\b(?:from|import)\s{0,20}(?:\(\s{0,20})?["']([\w@][\w@./-]{0,200})["']/g
const TYPE_IMPORT = /\bimport\s{1,20}type\b(?:(?!\bimport\b)[^'"]){0,2000}["'][^'"\n]{0,200}["']/g
/** What a page imports besides scripts is nothing to bundle. */
const NO_SCRIPT = /\.(?:css|scss|sass|less|svg|png|jpe?g|gif|webp|woff2?|json)$/
const MAX_FILE_BYTES = 512 * 1024
const MAX_SOURCE_BYTES = 16 * 1024 * 1024
const ENTRY = 'previewd-entry.js'

/** Undefined where nothing can be shared: the configuration is not whole by itself, or nothing is imported. */
export async function bundleRecipe(
  snapshot: Snapshot,
  of: { root: string; task: DevTask; environment: Environment; program: NodeProgram | undefined },
): Promise<Recipe | undefined> {
  const { root, task, environment, program } = of
  const inRoot = [...snapshot.files.values()].filter(({ path }) => isBelow(path, root))
  const configs = inRoot.filter(({ path }) => CONFIG.test(posix.relative(root, path)))
  if (task.kind !== 'vite-dev' || task.framework || configs.length > 1) return undefined
  const files = new Map<string, Buffer>()
  for (const { path, size } of configs) {
    if (size > MAX_FILE_BYTES) return undefined
    const content = await snapshot.read(path)
    if (OWN_IMPORT.test(content.toString('utf8'))) return undefined
    files.set(path, content)
  }
  for (const { path } of inRoot) {
    if (LOCKFILE.test(posix.relative(root, path))) files.set(path, await snapshot.read(path))
  }
  const manifest = await readManifest(snapshot, posix.join(root, 'package.json'))
  const imports = await importedPackages(snapshot, inRoot, manifest.dependencies)
  if (imports.length === 0) return undefined
  files.set(posix.join(root, 'package.json'), Buffer.from(JSON.stringify({ type: manifest.type })))
  files.set(posix.join(root, 'index.html'), Buffer.from(`<script type="module" src="/${ENTRY}"></script>`))
  files.set(
    posix.join(root, ENTRY),
    Buffer.from(imports.map((name) => `import ${JSON.stringify(name)}\n`).join('')),
  )
  const contents = [...files].map(([path, content]) => [path, hash('sha256', content)])
  const made = [FORMAT, environment.key, root, task.mode ?? '', program?.version ?? process.version, contents]
  return { key: hash('sha256', JSON.stringify(made)), files, entry: `/${ENTRY}` }
}

function isBelow(path: string, root: string): boolean {
  return root === '' || path.startsWith(`${root}/`)
}

async function readManifest(
  snapshot: Snapshot,
  path: string,
): Promise<{ type: string; dependencies: ReadonlySet<string> }> {
  try {
    const { type, dependencies } = JSON.parse((await snapshot.read(path)).toString('utf8'))
    const names = typeof dependencies === 'object' ? Object.keys(dependencies ?? {}) : []
    return { type: type === 'module' ? 'module' : 'commonjs', dependencies: new Set(names) }
  } catch {
    // What cannot be read is said by those whose work it is.
    return { type: 'commonjs', dependencies: new Set() }
  }
}

/** Sorted; found by their look alone, which is enough for a guess that costs nothing where it is wrong. */
async function importedPackages(
  snapshot: Snapshot,
  files: readonly FileEntry[],
  dependencies: ReadonlySet<string>,
): Promise<string[]> {
  const found = new Set<string>()
  let bytes = 0
  for (const { path, size } of files) {
    if (!SOURCE.test(path) || NO_SOURCE.test(path) || size > MAX_FILE_BYTES) continue
    bytes += size
    if (bytes > MAX_SOURCE_BYTES) break
    const text = (await snapshot.read(path)).toString('utf8').replace(TYPE_IMPORT, '')
    for (const [, name = ''] of text.matchAll(IMPORT)) {
      if (dependencies.has(packageOf(name)) && !NO_SCRIPT.test(name)) found.add(name)
    }
  }
  return [...found].sort()
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
