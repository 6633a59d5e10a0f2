import type { LockedPackage } from './locked-packages.ts'
import { DEPENDENCY_FIELDS, toRecord } from './package-manifest.ts'

/**
 * Adds to the generated package.json of the top, as optional dependencies, the packages that the lockfile has in the
 * top node_modules while it has other versions of them elsewhere. Which version is hoisted would else be pnpm's
 * choice, and imports that are not declared would get another major version than at the author's.
 */
export function keepTopPackages(manifest: Record<string, unknown>, packages: readonly LockedPackage[]): void {
  const versions = new Map<string, Set<string>>()
  for (const { name, version } of packages) {
    versions.set(name, (versions.get(name) ?? new Set()).add(version))
  }
  const declared = new Set(DEPENDENCY_FIELDS.flatMap((field) => Object.keys(toRecord(manifest[field]) ?? {})))
  const kept = packages.filter(
    ({ name, isTop }) => isTop === true && !declared.has(name) && (versions.get(name)?.size ?? 0) > 1,
  )
  if (kept.length === 0) return
  const optional = toRecord(manifest.optionalDependencies) ?? {}
  const added = Object.fromEntries(kept.map(({ name, version }) => [name, version]))
  manifest.optionalDependencies = { ...optional, ...added }
}
