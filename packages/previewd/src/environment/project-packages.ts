import { matchesGlob, posix } from 'node:path'
import { parse as parseYaml } from 'yaml'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { Snapshot } from '../model/files.ts'
import { type PackageManifest, parsePackageManifest, toRecord, toStrings } from './package-manifest.ts'

/** The packages of a project that are installed together. */
export interface ProjectPackages {
  /** Folder that the install starts from, with the lockfile: the workspace root, or the root itself. */
  base: string
  /** The base's manifest first; members of the workspace follow, sorted by folder. */
  manifests: PackageManifest[]
  /** Content of pnpm-workspace.yaml in the base. */
  workspaceYaml: Record<string, unknown> | undefined
}

const MAX_PACKAGES = 256
const MAX_YAML_BYTES = 256 * 1024

/**
 * Finds the package.json files that matter for `root`: its own, and where it belongs to a workspace of the project,
 * the workspace's. Undefined for a project without package.json.
 */
export async function readProjectPackages(
  snapshot: Snapshot,
  root: string,
  diagnostics: Diagnostic[],
): Promise<ProjectPackages | undefined> {
  if (!snapshot.files.has(posix.join(root, 'package.json'))) return undefined
  const reader = new PackageReader(snapshot, diagnostics)
  for (const folder of [...ancestorsOf(root), root]) {
    const packages = await reader.workspaceAt(folder, root)
    if (packages !== undefined) return packages
  }
  return undefined
}

class PackageReader {
  readonly #snapshot: Snapshot
  readonly #diagnostics: Diagnostic[]

  constructor(snapshot: Snapshot, diagnostics: Diagnostic[]) {
    this.#snapshot = snapshot
    this.#diagnostics = diagnostics
  }

  /** The workspace of a folder, where `root` is that folder or one of its members. */
  async workspaceAt(base: string, root: string): Promise<ProjectPackages | undefined> {
    const isRoot = base === root
    const yaml = await this.#readWorkspaceYaml(base)
    const file = posix.join(base, 'package.json')
    if (!this.#snapshot.files.has(file)) return undefined
    if (!isRoot && yaml === undefined && !this.#couldBeWorkspace(base, root)) return undefined
    const manifest = await this.#readManifest(file, isRoot)
    if (manifest === undefined) return undefined
    const folders = this.#memberFolders(base, patternsOf(yaml, manifest))
    if (!isRoot && !folders.includes(root)) return undefined
    const manifests = [manifest]
    for (const folder of folders) {
      const member = await this.#readManifest(posix.join(folder, 'package.json'), folder === root)
      if (member !== undefined) manifests.push(member)
      else if (folder === root) return undefined
    }
    return { base, manifests, workspaceYaml: yaml }
  }

  #couldBeWorkspace(base: string, root: string): boolean {
    return this.#snapshot.files.has(posix.join(base, 'package.json')) && root.startsWith(base)
  }

  async #readManifest(file: string, required: boolean): Promise<PackageManifest | undefined> {
    const result = parsePackageManifest(file, await this.#snapshot.read(file))
    if ('manifest' in result) return result.manifest
    this.#diagnostics.push(required ? result.diagnostic : { ...result.diagnostic, severity: 'warning' })
    return undefined
  }

  async #readWorkspaceYaml(base: string): Promise<Record<string, unknown> | undefined> {
    const file = posix.join(base, 'pnpm-workspace.yaml')
    const entry = this.#snapshot.files.get(file)
    if (entry === undefined) return undefined
    try {
      if (entry.size > MAX_YAML_BYTES) throw new Error('the file is too large')
      return (
        toRecord(parseYaml((await this.#snapshot.read(file)).toString('utf8'), { maxAliasCount: 20 })) ?? {}
      )
    } catch (error) {
      this.#diagnostics.push({
        origin: 'install',
        severity: 'warning',
        code: 'INVALID_WORKSPACE_FILE',
        message: `pnpm-workspace.yaml is ignored: ${error instanceof Error ? error.message : String(error)}`,
        file,
      })
      return undefined
    }
  }

  #memberFolders(base: string, patterns: string[]): string[] {
    if (patterns.length === 0) return []
    const folders: string[] = []
    for (const path of this.#snapshot.files.keys()) {
      if (!path.endsWith('/package.json') || path.includes('node_modules/')) continue
      const folder = posix.dirname(path)
      const relative = posix.relative(base, folder)
      if (relative === '' || relative.startsWith('..')) continue
      if (matchesPatterns(relative, patterns)) folders.push(folder)
      if (folders.length >= MAX_PACKAGES) break
    }
    return folders.sort()
  }
}

function patternsOf(yaml: Record<string, unknown> | undefined, manifest: PackageManifest): string[] {
  const fromYaml = toStrings(yaml?.packages)
  if (fromYaml.length > 0) return fromYaml
  const workspaces = manifest.json.workspaces
  return toStrings(Array.isArray(workspaces) ? workspaces : toRecord(workspaces)?.packages)
}

function matchesPatterns(folder: string, patterns: string[]): boolean {
  let matched = false
  for (const raw of patterns.slice(0, 64)) {
    const negated = raw.startsWith('!')
    const pattern = posix.normalize(negated ? raw.slice(1) : raw).replace(/\/$/, '')
    if (pattern.length <= 256 && matchesGlob(folder, pattern)) matched = !negated
  }
  return matched
}

/** Folders above a folder, outermost first; '' is the top. */
function ancestorsOf(folder: string): string[] {
  if (folder === '') return []
  const parts = folder.split('/')
  return parts.map((_, index) => parts.slice(0, index).join('/'))
}
