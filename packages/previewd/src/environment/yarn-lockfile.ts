import semver from 'semver'
import { parse as parseYaml } from 'yaml'
import { type LockedPackage, type Lockfile, LockfileError, MAX_LOCKED_PACKAGES } from './locked-packages.ts'
import { toRecord } from './package-manifest.ts'
import { isPackageName } from './specifier.ts'

/** Reads yarn.lock: the format of Yarn 1, and the YAML of Yarn 2 and later. */
export function parseYarnLockfile(file: string, text: string): Lockfile {
  const source = text.replace(/^\uFEFF/, '').replace(/\r\n/g, '\n')
  return /^__metadata:/m.test(source) ? parseBerry(file, source) : parseClassic(file, source)
}

/**
 * Entries of Yarn 1 start in the first column, `"a@^1", a@^2:`; their fields follow, indented by two spaces.
 */
function parseClassic(file: string, text: string): Lockfile {
  const descriptors = new Set<string>()
  const packages: LockedPackage[] = []
  let current: { names: string[]; version?: string; integrity?: string } | undefined
  const finish = () => {
    const [first] = current?.names ?? []
    if (current?.version === undefined || first === undefined) return
    addPackage(packages, realNameOf(first), current.version, current.integrity)
  }
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    if (!line.startsWith(' ')) {
      finish()
      const names = line.replace(/:\s*$/, '').split(', ').map(unquote)
      for (const name of names) descriptors.add(name)
      current = { names }
    } else if (current !== undefined && !line.startsWith('   ')) {
      const [key, value] = line.trim().split(' ')
      if (key === 'version' && value !== undefined) current.version = unquote(value)
      if (key === 'integrity' && value !== undefined) current.integrity = unquote(value)
    }
  }
  finish()
  return {
    kind: 'yarn',
    file,
    packages,
    satisfies: (_folder, name, specifier) => descriptors.has(`${name}@${specifier}`),
  }
}

function unquote(text: string): string {
  return text.replace(/^"|"$/g, '')
}

/** `alias@npm:is-odd@^3.0.0` is is-odd; `@scope/name@^1` is @scope/name. */
function realNameOf(descriptor: string): string {
  const at = descriptor.indexOf('@', 1)
  const range = at === -1 ? '' : descriptor.slice(at + 1)
  if (!range.startsWith('npm:')) return at === -1 ? descriptor : descriptor.slice(0, at)
  const target = range.slice(4)
  const end = target.indexOf('@', 1)
  return end === -1 ? target : target.slice(0, end)
}

/** Yarn's own checksums are of its zip archives and say nothing about the tarball, so no integrity is taken. */
function parseBerry(file: string, text: string): Lockfile {
  const entries = toRecord(parseDocument(text))
  if (entries === undefined) throw new LockfileError('it is not a mapping')
  const descriptors = new Set<string>()
  const packages: LockedPackage[] = []
  for (const [key, value] of Object.entries(entries)) {
    const entry = toRecord(value)
    const resolution = entry?.resolution
    if (typeof resolution !== 'string') continue
    for (const descriptor of key.split(', ')) descriptors.add(descriptor)
    const match = /^(.+)@npm:([^:]+)$/.exec(resolution)
    if (match?.[1] && match[2]) addPackage(packages, match[1], match[2], undefined)
  }
  return {
    kind: 'yarn',
    file,
    packages,
    satisfies: (_folder, name, specifier) =>
      descriptors.has(`${name}@${specifier}`) || descriptors.has(`${name}@npm:${specifier}`),
  }
}

function parseDocument(text: string): unknown {
  try {
    return parseYaml(text, { schema: 'failsafe', maxAliasCount: 0 })
  } catch (error) {
    throw new LockfileError('it is not valid YAML', { cause: error })
  }
}

function addPackage(
  packages: LockedPackage[],
  name: string,
  version: string,
  integrity: string | undefined,
): void {
  if (!isPackageName(name) || semver.valid(version, true) === null) return
  if (packages.length >= MAX_LOCKED_PACKAGES) throw new LockfileError('it lists too many packages')
  packages.push({ name, version, ...(integrity === undefined ? {} : { integrity }) })
}
