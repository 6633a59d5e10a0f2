import { posix } from 'node:path'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { Snapshot } from '../model/files.ts'
import { readInstallSettings } from './install-settings.ts'
import type { LockedPackage } from './locked-packages.ts'
import { chooseLockfile, type LockfileChoice, namedPackageManager } from './lockfile-choice.ts'
import { type GeneratedManifest, generateManifest, type ManifestScope } from './manifest-generator.ts'
import { translateOverrides } from './overrides.ts'
import { DEPENDENCY_FIELDS, type PackageManifest, parsePackageManifest } from './package-manifest.ts'
import { type ProjectPackages, readProjectPackages } from './project-packages.ts'
import { keepTopPackages } from './top-packages.ts'

/**
 * What of a lockfile the installer gets: the whole of one that it wrote itself (`exact`) or that the project has
 * (`claimed`), or versions to prefer while it resolves anew.
 */
export type PlannedLock =
  | { kind: 'exact'; text: string }
  | { kind: 'claimed'; text: string; packages: LockedPackage[] }
  | { kind: 'preferred'; packages: LockedPackage[] }

/** Everything that decides what is installed for a project, made of validated values only. */
export interface InstallPlan {
  /** Folder of the project that the files below are relative to. */
  base: string
  /** Generated package.json files by folder, relative to the base. */
  manifests: ReadonlyMap<string, Record<string, unknown>>
  /** Settings for pnpm-workspace.yaml that come from the project. */
  settings: Record<string, unknown>
  /** From the project's own lockfile; undefined where it has none. */
  lock: PlannedLock | undefined
  /** The project's package.json files, to point at the line of a problem. */
  sources: PackageManifest[]
  diagnostics: Diagnostic[]
  /** Of the Node that the packages are for; the server's own where it is left out. */
  nodeVersion?: string
}

export type PlanResult = InstallPlan | { diagnostics: Diagnostic[] } | undefined

/**
 * Plans the install for a folder of a project. Undefined where there is nothing to install; only diagnostics where
 * the project has to be mended first.
 */
export async function planInstall(snapshot: Snapshot, root: string): Promise<PlanResult> {
  const diagnostics: Diagnostic[] = []
  const packages = await readProjectPackages(snapshot, root, diagnostics)
  if (packages === undefined) return diagnostics.length > 0 ? { diagnostics } : undefined
  const [main] = packages.manifests
  if (main === undefined) return undefined
  const npmrcFile = posix.join(packages.base, '.npmrc')
  const npmrc = snapshot.files.has(npmrcFile) ? (await snapshot.read(npmrcFile)).toString('utf8') : undefined
  const project = readInstallSettings(main, packages.workspaceYaml, npmrc)
  const choice = await chooseLockfile(snapshot, packages, diagnostics)
  const isPnpm = usesPnpm(packages, choice)
  const scope: ManifestScope = {
    workspace: workspaceNames(packages),
    folders: foldersWithManifest(snapshot),
    catalogs: project.catalogs,
    linkByName: !isPnpm || project.linkWorkspacePackages,
  }
  const reached = await reachManifests(snapshot, packages, root, scope, diagnostics)
  const overrides = translateOverrides(main.json, packages.workspaceYaml)
  for (const { selector, reason } of overrides.refused) {
    diagnostics.push(refusedOverride(main, selector, reason))
  }
  diagnostics.push(...overrides.ignored.map((selector) => ignoredOverride(main, selector)))
  if (diagnostics.some(({ severity }) => severity === 'error')) return { diagnostics }
  if (!hasDependencies(reached.values())) return undefined
  const base = commonFolder([packages.base, ...reached.keys()])
  const top = reached.get(packages.base)?.manifest.json
  if (top !== undefined && !isPnpm) keepTopPackages(top, choice?.lockfile.packages ?? [])
  const { catalogs, packageExtensions, ignoredOptionalDependencies } = project
  return {
    base,
    manifests: new Map(
      [...reached].map(([folder, { manifest }]) => [posix.relative(base, folder), manifest.json]),
    ),
    settings: {
      packages: [...reached.keys()]
        .map((folder) => posix.relative(base, folder))
        .filter((path) => path !== ''),
      overrides: overrides.entries,
      catalogs,
      packageExtensions,
      ignoredOptionalDependencies,
      autoInstallPeers: project.autoInstallPeers,
      linkWorkspacePackages: project.linkWorkspacePackages,
      publicHoistPattern: isPnpm && !project.shamefullyHoist ? project.publicHoistPattern : ['*'],
    },
    lock: choice && planLock(choice, base === packages.base, diagnostics),
    sources: [...reached.values()].map(({ source }) => source),
    diagnostics,
  }
}

interface Reached {
  source: PackageManifest
  manifest: GeneratedManifest
}

/** The root, the top of its workspace, and every package of the project that they link to. */
async function reachManifests(
  snapshot: Snapshot,
  packages: ProjectPackages,
  root: string,
  scope: ManifestScope,
  diagnostics: Diagnostic[],
): Promise<Map<string, Reached>> {
  const known = new Map(packages.manifests.map((manifest) => [manifest.folder, manifest]))
  const queue = root === packages.base ? [...known.keys()] : [packages.base, root]
  const reached = new Map<string, Reached>()
  for (let folder = queue.shift(); folder !== undefined; folder = queue.shift()) {
    if (reached.has(folder)) continue
    const source = known.get(folder) ?? (await readLinked(snapshot, folder, diagnostics))
    if (source === undefined) continue
    const manifest = generateManifest(source, scope, diagnostics)
    reached.set(folder, { source, manifest })
    queue.push(...manifest.links)
  }
  dropUnusedNames(reached)
  return new Map([...reached].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Names and versions matter to who links the package; elsewhere they would only keep environments apart. */
function dropUnusedNames(reached: ReadonlyMap<string, Reached>): void {
  const linked = new Set([...reached.values()].flatMap(({ manifest }) => manifest.links))
  for (const [folder, { manifest }] of reached) {
    if (linked.has(folder)) continue
    delete manifest.json.name
    delete manifest.json.version
  }
}

async function readLinked(
  snapshot: Snapshot,
  folder: string,
  diagnostics: Diagnostic[],
): Promise<PackageManifest | undefined> {
  const file = posix.join(folder, 'package.json')
  const result = parsePackageManifest(file, await snapshot.read(file))
  if ('manifest' in result) return result.manifest
  diagnostics.push(result.diagnostic)
  return undefined
}

/**
 * A pnpm lockfile that package.json has left behind says nothing: many apps carry one beside the lockfile (often
 * Bun's binary one) of the package manager that they are really installed with.
 */
function usesPnpm(packages: ProjectPackages, choice: LockfileChoice | undefined): boolean {
  if (namedPackageManager(packages) === 'pnpm' || packages.workspaceYaml !== undefined) {
    return choice === undefined || choice.lockfile.kind === 'pnpm'
  }
  return choice?.lockfile.kind === 'pnpm' && choice.missing.length === 0
}

function planLock(choice: LockfileChoice, isAtBase: boolean, diagnostics: Diagnostic[]): PlannedLock {
  const { lockfile, missing } = choice
  if (missing.length > 0) diagnostics.push(outOfStep(lockfile.file, missing))
  if ('usable' in lockfile && lockfile.usable !== undefined && isAtBase) {
    return { kind: 'claimed', text: lockfile.usable, packages: lockfile.packages }
  }
  return { kind: 'preferred', packages: lockfile.packages }
}

function outOfStep(file: string, missing: string[]): Diagnostic {
  const shown = missing.slice(0, 5).join(', ')
  const more = missing.length > 5 ? ` and ${missing.length - 5} more` : ''
  return {
    origin: 'install',
    severity: 'warning',
    code: 'LOCKFILE_OUT_OF_STEP',
    message: `${posix.basename(file)} does not have what package.json asks for: ${shown}${more}. It was resolved anew.`,
    file,
    hint: 'update the lockfile with the package manager that wrote it',
  }
}

function refusedOverride(manifest: PackageManifest, selector: string, reason: string): Diagnostic {
  return {
    origin: 'install',
    severity: 'error',
    code: 'OVERRIDE_REFUSED',
    message: `The override "${selector.slice(0, 200)}" cannot be used: ${reason}.`,
    file: manifest.file,
  }
}

function ignoredOverride(manifest: PackageManifest, selector: string): Diagnostic {
  return {
    origin: 'install',
    severity: 'warning',
    code: 'OVERRIDE_IGNORED',
    message: `The override "${selector.slice(0, 200)}" is ignored: its selector is not understood.`,
    file: manifest.file,
  }
}

function workspaceNames(packages: ProjectPackages): ManifestScope['workspace'] {
  return new Map(
    packages.manifests.flatMap(({ json: { name, version }, folder }) =>
      typeof name === 'string'
        ? [[name, { folder, version: typeof version === 'string' ? version : undefined }] as const]
        : [],
    ),
  )
}

function foldersWithManifest(snapshot: Snapshot): Set<string> {
  const folders = new Set<string>()
  for (const path of snapshot.files.keys()) {
    if (path === 'package.json') folders.add('')
    else if (path.endsWith('/package.json')) folders.add(posix.dirname(path))
  }
  return folders
}

function hasDependencies(reached: Iterable<Reached>): boolean {
  for (const { manifest } of reached) {
    if (DEPENDENCY_FIELDS.some((field) => manifest.json[field] !== undefined)) return true
  }
  return false
}

/** The deepest folder that holds all of them; '' is the top. */
function commonFolder(folders: string[]): string {
  let common = (folders[0] ?? '').split('/')
  for (const folder of folders) {
    const parts = folder.split('/')
    const end = common.findIndex((part, index) => parts[index] !== part)
    if (end !== -1) common = common.slice(0, end)
  }
  return common.join('/')
}
