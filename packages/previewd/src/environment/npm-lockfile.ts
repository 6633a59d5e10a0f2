import semver from 'semver'
import { type LockedPackage, type Lockfile, LockfileError, MAX_LOCKED_PACKAGES } from './locked-packages.ts'
import { DEPENDENCY_FIELDS, stringEntries, toRecord } from './package-manifest.ts'
import { isPackageName } from './specifier.ts'

/** Reads package-lock.json or npm-shrinkwrap.json of lockfile version 1, 2 or 3. */
export function parseNpmLockfile(file: string, text: string): Lockfile {
  const json = toRecord(parseJson(text))
  const packages = toRecord(json?.packages)
  if (packages !== undefined) return parsePackages(file, packages)
  const dependencies = toRecord(json?.dependencies)
  if (dependencies !== undefined) return parseTree(file, dependencies)
  throw new LockfileError('it lists no packages')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    throw new LockfileError('it is not valid JSON', { cause: error })
  }
}

function parsePackages(file: string, entries: Record<string, unknown>): Lockfile {
  const packages: LockedPackage[] = []
  for (const [path, value] of Object.entries(entries)) {
    const entry = toRecord(value)
    const index = path.lastIndexOf('node_modules/')
    if (entry === undefined || index === -1 || entry.link === true) continue
    const name = typeof entry.name === 'string' ? entry.name : path.slice(index + 13)
    addPackage(packages, name, entry, path === `node_modules/${name}`)
  }
  return {
    kind: 'npm',
    file,
    packages,
    satisfies: (folder, name, specifier) => {
      const entry = toRecord(entries[folder])
      return DEPENDENCY_FIELDS.some((field) => toRecord(entry?.[field])?.[name] === specifier)
    },
  }
}

/** Version 1 nests what is not hoisted and does not repeat the specifiers, so versions are compared. */
function parseTree(file: string, dependencies: Record<string, unknown>): Lockfile {
  const packages: LockedPackage[] = []
  const queue: Record<string, unknown>[] = [dependencies]
  for (let level = queue.pop(); level !== undefined; level = queue.pop()) {
    for (const [name, value] of Object.entries(level)) {
      const entry = toRecord(value)
      if (entry === undefined) continue
      addPackage(packages, name, entry, level === dependencies)
      const nested = toRecord(entry.dependencies)
      if (nested !== undefined) queue.push(nested)
    }
  }
  const versions = new Map(stringEntries(mapVersions(dependencies)))
  return {
    kind: 'npm',
    file,
    packages,
    satisfies: (_folder, name, specifier) => {
      const version = versions.get(name)
      if (version === undefined) return false
      return !semver.validRange(specifier, true) || semver.satisfies(version, specifier, { loose: true })
    },
  }
}

function mapVersions(dependencies: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(dependencies).map(([name, value]) => [name, toRecord(value)?.version]),
  )
}

function addPackage(
  packages: LockedPackage[],
  name: string,
  entry: Record<string, unknown>,
  isTop: boolean,
): void {
  const { version: written, integrity } = entry
  if (typeof written !== 'string') return
  // Version 1 writes an alias as the version: `npm:is-odd@3.0.1`.
  const alias = /^npm:(.+)@([^@]+)$/.exec(written)
  const [realName, version] = alias?.[1] && alias[2] ? [alias[1], alias[2]] : [name, written]
  if (!isPackageName(realName) || semver.valid(version, true) === null) return
  if (packages.length >= MAX_LOCKED_PACKAGES) throw new LockfileError('it lists too many packages')
  packages.push({
    name: realName,
    version,
    ...(typeof integrity === 'string' ? { integrity } : {}),
    ...(isTop && realName === name ? { isTop } : {}),
  })
}
