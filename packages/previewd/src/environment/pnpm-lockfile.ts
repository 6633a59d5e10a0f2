import semver from 'semver'
import { isMap, parseAllDocuments, stringify } from 'yaml'
import { type LockedPackage, type Lockfile, LockfileError, MAX_LOCKED_PACKAGES } from './locked-packages.ts'
import { DEPENDENCY_FIELDS, toRecord } from './package-manifest.ts'
import { isPackageName } from './specifier.ts'

export interface PnpmLockfile extends Lockfile {
  kind: 'pnpm'
  /**
   * The lockfile as the installer may see it: registry packages with a sha512 only, no tarball addresses, no hooks or
   * patches. Undefined where its packages can only serve as preferred versions.
   */
  usable: string | undefined
  /** Packages that do not come from a registry. */
  exotic: string[]
}

/** Reads pnpm-lock.yaml of lockfile version 5, 6 or 9. */
export function parsePnpmLockfile(file: string, text: string): PnpmLockfile {
  const { root, isAlone } = parseMainDocument(text)
  const version = Number.parseFloat(String(root.lockfileVersion))
  const entries = toRecord(root.packages) ?? {}
  const packages: LockedPackage[] = []
  const exotic: string[] = []
  let isChanged = !isAlone
  let isComplete = version >= 9 && version < 10
  for (const [key, value] of Object.entries(entries)) {
    const resolution = toRecord(toRecord(value)?.resolution)
    const parsed = parseKey(key)
    const integrity = resolution?.integrity
    if (parsed === undefined || (resolution !== undefined && isExotic(resolution))) {
      exotic.push(key)
      continue
    }
    if (packages.length >= MAX_LOCKED_PACKAGES) throw new LockfileError('it lists too many packages')
    packages.push({ ...parsed, ...(typeof integrity === 'string' ? { integrity } : {}) })
    isComplete &&= typeof integrity === 'string' && integrity.startsWith('sha512-')
    if (resolution !== undefined && 'tarball' in resolution) {
      delete resolution.tarball
      isChanged = true
    }
  }
  for (const field of ['pnpmfileChecksum', 'patchedDependencies', 'configDependencies']) {
    if (field in root) {
      delete root[field]
      isChanged = true
    }
  }
  const usable = isComplete && exotic.length === 0 ? (isChanged ? stringify(root) : text) : undefined
  return { kind: 'pnpm', file, packages, exotic, usable, satisfies: satisfiesIn(root) }
}

/** Newer versions put a document about pnpm itself in front of that of the project. */
function parseMainDocument(text: string): { root: Record<string, unknown>; isAlone: boolean } {
  const documents = parseAllDocuments(text.replace(/^\uFEFF/, ''))
  if (!Array.isArray(documents)) throw new LockfileError('it is empty')
  const last = documents.at(-1)
  if (last === undefined || last.errors.length > 0 || !isMap(last.contents)) {
    throw new LockfileError(last?.errors[0]?.message ?? 'it is not a mapping')
  }
  const root = toRecord(last.toJS({ maxAliasCount: 0 }))
  if (root === undefined) throw new LockfileError('it is not a mapping')
  return { root, isAlone: documents.length === 1 }
}

/** `name@1.0.0` (9), `/name@1.0.0(peer@1)` (6) and `/name/1.0.0_peer@1` (5). */
function parseKey(key: string): LockedPackage | undefined {
  const plain = key.replace(/^\//, '').replace(/\(.*$/, '')
  const match = /^(@[^/]+\/[^/@]+|[^/@]+)[@/]([^/_]+)(?:_.*)?$/.exec(plain)
  if (!match?.[1] || !match[2] || !isPackageName(match[1])) return undefined
  return semver.valid(match[2], true) === null ? undefined : { name: match[1], version: match[2] }
}

function isExotic(resolution: Record<string, unknown>): boolean {
  return ['type', 'repo', 'commit', 'directory', 'gitHosted', 'path'].some((field) => field in resolution)
}

function satisfiesIn(root: Record<string, unknown>): Lockfile['satisfies'] {
  const importers = toRecord(root.importers)
  return (folder, name, specifier) => {
    const importer = importers === undefined ? root : toRecord(importers[folder === '' ? '.' : folder])
    if (toRecord(importer?.specifiers)?.[name] === specifier) return true
    return DEPENDENCY_FIELDS.some(
      (field) => toRecord(toRecord(importer?.[field])?.[name])?.specifier === specifier,
    )
  }
}
