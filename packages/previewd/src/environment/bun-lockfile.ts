import { type ParseError, parse } from 'jsonc-parser'
import semver from 'semver'
import { type LockedPackage, type Lockfile, LockfileError, MAX_LOCKED_PACKAGES } from './locked-packages.ts'
import { DEPENDENCY_FIELDS, toRecord } from './package-manifest.ts'
import { isPackageName } from './specifier.ts'

/**
 * Reads the text lockfile of Bun: JSON with trailing commas, whose `packages` are
 * `path: ["name@version", registry, {…}, integrity]`. Private registries named in it are left out.
 */
export function parseBunLockfile(file: string, text: string): Lockfile {
  const json = toRecord(parseTolerant(text))
  const entries = toRecord(json?.packages)
  const workspaces = toRecord(json?.workspaces)
  if (entries === undefined || workspaces === undefined) throw new LockfileError('it lists no packages')
  const packages: LockedPackage[] = []
  for (const [path, value] of Object.entries(entries)) {
    if (!Array.isArray(value) || typeof value[0] !== 'string') continue
    const at = value[0].lastIndexOf('@')
    const name = value[0].slice(0, at)
    const version = value[0].slice(at + 1)
    if (at <= 0 || !isPackageName(name) || semver.valid(version, true) === null) continue
    if (packages.length >= MAX_LOCKED_PACKAGES) throw new LockfileError('it lists too many packages')
    const integrity = value.at(-1)
    const isIntegrity = typeof integrity === 'string' && integrity.startsWith('sha')
    packages.push({
      name,
      version,
      ...(isIntegrity ? { integrity } : {}),
      ...(path === name ? { isTop: true } : {}),
    })
  }
  return {
    kind: 'bun',
    file,
    packages,
    satisfies: (folder, name, specifier) => {
      const workspace = toRecord(workspaces[folder])
      return DEPENDENCY_FIELDS.some((field) => toRecord(workspace?.[field])?.[name] === specifier)
    },
  }
}

function parseTolerant(text: string): unknown {
  const errors: ParseError[] = []
  try {
    const value: unknown = parse(text.replace(/^\uFEFF/, ''), errors, { allowTrailingComma: true })
    if (errors.length > 0) throw new LockfileError('it is not valid JSON')
    return value
  } catch (error) {
    // The parser is recursive, and text nested thousands of levels deep ends its stack.
    if (error instanceof RangeError) throw new LockfileError('it is nested too deeply', { cause: error })
    throw error
  }
}
