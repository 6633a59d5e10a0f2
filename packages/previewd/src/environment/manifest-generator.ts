import { posix } from 'node:path'
import semver from 'semver'
import type { Diagnostic } from '../model/diagnostic.ts'
import {
  DEPENDENCY_FIELDS,
  dependenciesOf,
  locateDependency,
  type PackageManifest,
  toRecord,
} from './package-manifest.ts'
import { isPackageName, parseSpecifier, type Specifier } from './specifier.ts'

/** What package.json files of a project may refer to. */
export interface ManifestScope {
  /** The workspace's packages by their names. */
  workspace: ReadonlyMap<string, { folder: string; version: string | undefined }>
  /** Folders of the project that hold a package.json. */
  folders: ReadonlySet<string>
  /** Specifiers by catalog and package name. */
  catalogs: Readonly<Record<string, Record<string, string>>>
  /** Version ranges mean the workspace's package of that name, as npm, Yarn and Bun have it. */
  linkByName: boolean
}

export interface GeneratedManifest {
  json: Record<string, unknown>
  /** Folders of the project that it links to. */
  links: string[]
}

/**
 * The package.json that the installer sees instead of the project's: names and specifiers that passed the grammar,
 * nothing else. Each refused specifier becomes a diagnostic.
 */
export function generateManifest(
  manifest: PackageManifest,
  scope: ManifestScope,
  diagnostics: Diagnostic[],
): GeneratedManifest {
  const json: Record<string, unknown> = {}
  const links = new Set<string>()
  const name = manifest.json.name
  if (typeof name === 'string' && isPackageName(name)) json.name = name
  const version = manifest.json.version
  if (typeof version === 'string' && semver.valid(version) !== null) json.version = version
  for (const field of DEPENDENCY_FIELDS) {
    const generated: [string, string][] = []
    for (const [dependency, written] of dependenciesOf(manifest, field)) {
      const result = isPackageName(dependency)
        ? translate(manifest, scope, dependency, written)
        : refusal('the name is not a package name')
      if ('reason' in result) diagnostics.push(refusedDiagnostic(manifest, dependency, written, result))
      else {
        generated.push([dependency, result.specifier])
        if (result.link !== undefined) links.add(result.link)
      }
    }
    if (generated.length > 0) json[field] = Object.fromEntries(generated)
  }
  addPeers(manifest, json)
  return { json, links: [...links] }
}

type Translation = { specifier: string; link?: string } | { reason: string; code: string }

function refusal(reason: string, code = 'SPECIFIER_REFUSED'): Translation {
  return { reason, code }
}

function translate(
  manifest: PackageManifest,
  scope: ManifestScope,
  name: string,
  written: string,
): Translation {
  const specifier = parseSpecifier(written)
  const member = scope.workspace.get(name)
  switch (specifier.kind) {
    case 'refused':
      return refusal(specifier.reason)
    case 'range':
    case 'tag':
      return scope.linkByName && member !== undefined && isMeant(member.version, specifier)
        ? { specifier: 'workspace:*', link: member.folder }
        : { specifier: textOf(specifier, written) }
    case 'alias':
      return { specifier: `npm:${specifier.name}@${specifier.target}` }
    case 'workspace':
      return member === undefined
        ? refusal('no package of the project has this name', 'WORKSPACE_PACKAGE_NOT_FOUND')
        : { specifier: `workspace:${specifier.range}`, link: member.folder }
    case 'catalog':
      return scope.catalogs[specifier.catalog]?.[name] === undefined
        ? refusal(`the catalog "${specifier.catalog}" has no such entry`, 'CATALOG_ENTRY_NOT_FOUND')
        : { specifier: written.trim() }
    case 'folder':
      return linkFolder(manifest, scope, specifier.path)
  }
}

/** As with npm, a package of the workspace whose version does not fit leaves the name to the registry. */
function isMeant(version: string | undefined, specifier: Specifier): boolean {
  if (specifier.kind !== 'range' || version === undefined) return specifier.kind === 'range'
  return semver.satisfies(version, specifier.range, { loose: true, includePrerelease: true })
}

/** Lockfiles compare the text, so it stays as written where it can. */
function textOf(specifier: Extract<Specifier, { kind: 'range' | 'tag' }>, written: string): string {
  const parsed = specifier.kind === 'range' ? specifier.range : specifier.tag
  return parsed === written.trim() ? written : parsed
}

function linkFolder(manifest: PackageManifest, scope: ManifestScope, path: string): Translation {
  const folder = posix.join(manifest.folder, path)
  if (folder === '..' || folder.startsWith('../')) return refusal('it points outside the project')
  const normalized = folder === '.' ? '' : folder
  if (!scope.folders.has(normalized)) return refusal('the folder has no package.json', 'FOLDER_NOT_FOUND')
  const relative = posix.relative(manifest.folder, normalized)
  return { specifier: `link:${relative === '' ? '.' : relative}`, link: normalized }
}

/** Peers that the grammar knows; others are left to whoever uses the package. */
function addPeers(manifest: PackageManifest, json: Record<string, unknown>): void {
  const peers = dependenciesOf(manifest, 'peerDependencies').filter(
    ([name, written]) => isPackageName(name) && parseSpecifier(written).kind === 'range',
  )
  if (peers.length === 0) return
  json.peerDependencies = Object.fromEntries(peers)
  const meta = toRecord(manifest.json.peerDependenciesMeta) ?? {}
  const optional = peers.filter(([name]) => toRecord(meta[name])?.optional === true)
  if (optional.length > 0) {
    json.peerDependenciesMeta = Object.fromEntries(optional.map(([name]) => [name, { optional: true }]))
  }
}

function refusedDiagnostic(
  manifest: PackageManifest,
  name: string,
  written: string,
  { reason, code }: { reason: string; code: string },
): Diagnostic {
  return {
    origin: 'install',
    severity: 'error',
    code,
    message: `"${name}": "${written.slice(0, 200)}" cannot be installed: ${reason}.`,
    file: manifest.file,
    ...locateDependency(manifest, name),
    ...(code === 'SPECIFIER_REFUSED' ? { hint: 'use a version range of a package on the registry' } : {}),
  }
}
