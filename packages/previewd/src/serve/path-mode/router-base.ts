import type { Artifact } from '../../model/artifact.ts'

/** Scripts looked through; more of them are not what an app of one page is made of. */
const MAX_SCRIPTS = 60
const MAX_SCRIPT_BYTES = 4 * 1024 * 1024

/**
 * Whether the app expects its paths without the prefix it was built for. It does where its pages load from the
 * prefix (so its own links are of the root), unless it tells its router the base.
 */
export class RouterBases {
  readonly #known = new WeakMap<Artifact, Promise<boolean>>()

  /** True where the script in front of the page should hide the prefix. */
  async hidesPrefix(artifact: Artifact, html: string, prefix: string): Promise<boolean> {
    if (!html.includes(`="${prefix}/`)) return false
    const known = this.#known.get(artifact) ?? tellsRouter(artifact, prefix)
    this.#known.set(artifact, known)
    return !(await known)
  }
}

async function tellsRouter(artifact: Artifact, prefix: string): Promise<boolean> {
  const base = new RegExp(`\\b(?:basename|basepath|basePath)["']?\\s*:\\s*["'\`]${prefix}/?["'\`]`)
  const scripts = [...artifact.files.values()]
    .filter(({ path }) => /\.m?js$/.test(path))
    .slice(0, MAX_SCRIPTS)
  for (const { path, size } of scripts) {
    if (size <= MAX_SCRIPT_BYTES && base.test((await artifact.read(path)).toString('latin1'))) return true
  }
  return false
}
