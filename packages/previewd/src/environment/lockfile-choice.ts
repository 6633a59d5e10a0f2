import { posix } from 'node:path'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { Snapshot } from '../model/files.ts'
import { parseBunLockfile } from './bun-lockfile.ts'
import { type Lockfile, LockfileError, type LockfileKind } from './locked-packages.ts'
import { parseNpmLockfile } from './npm-lockfile.ts'
import { DEPENDENCY_FIELDS, dependenciesOf } from './package-manifest.ts'
import { type PnpmLockfile, parsePnpmLockfile } from './pnpm-lockfile.ts'
import type { ProjectPackages } from './project-packages.ts'
import { parseYarnLockfile } from './yarn-lockfile.ts'

export type AnyLockfile = Lockfile | PnpmLockfile

export interface LockfileChoice {
  lockfile: AnyLockfile
  /** Dependencies that package.json has and the lockfile has not, as `name@specifier`. */
  missing: string[]
}

const READERS: [name: string, kind: LockfileKind, read: (file: string, text: string) => AnyLockfile][] = [
  ['pnpm-lock.yaml', 'pnpm', parsePnpmLockfile],
  ['npm-shrinkwrap.json', 'npm', parseNpmLockfile],
  ['package-lock.json', 'npm', parseNpmLockfile],
  ['yarn.lock', 'yarn', parseYarnLockfile],
  ['bun.lock', 'bun', parseBunLockfile],
]

/** Names of all files that decide which versions are installed. */
export const LOCKFILE_NAMES: readonly string[] = [...READERS.map(([name]) => name), 'bun.lockb']

const MAX_BYTES = 32 * 1024 * 1024

/**
 * The lockfile that counts: the one of the package manager that package.json names, else the first that has every
 * dependency, else the one that lacks the fewest. Files that cannot be read are skipped with a warning.
 */
export async function chooseLockfile(
  snapshot: Snapshot,
  packages: ProjectPackages,
  diagnostics: Diagnostic[],
): Promise<LockfileChoice | undefined> {
  const named = namedPackageManager(packages)
  const readers = READERS.filter(([name]) => snapshot.files.has(posix.join(packages.base, name)))
  readers.sort((a, b) => Number(b[1] === named) - Number(a[1] === named))
  let best: LockfileChoice | undefined
  for (const [name, kind, read] of readers) {
    const lockfile = await readLockfile(snapshot, posix.join(packages.base, name), read, diagnostics)
    if (lockfile === undefined) continue
    const choice = { lockfile, missing: missingIn(lockfile, packages) }
    if (kind === named || choice.missing.length === 0) return choice
    if (best === undefined || choice.missing.length < best.missing.length) best = choice
  }
  const binary = posix.join(packages.base, 'bun.lockb')
  if (best === undefined && snapshot.files.has(binary)) diagnostics.push(binaryLockfile(binary))
  return best
}

/** `pnpm` of `"packageManager": "pnpm@10.1.0"`. */
export function namedPackageManager(packages: ProjectPackages): string | undefined {
  const value = packages.manifests[0]?.json.packageManager
  return typeof value === 'string' ? value.split('@')[0] : undefined
}

async function readLockfile(
  snapshot: Snapshot,
  file: string,
  read: (file: string, text: string) => AnyLockfile,
  diagnostics: Diagnostic[],
): Promise<AnyLockfile | undefined> {
  try {
    const size = snapshot.files.get(file)?.size ?? 0
    if (size > MAX_BYTES) throw new LockfileError('it is larger than 32 MiB')
    return read(file, (await snapshot.read(file)).toString('utf8'))
  } catch (error) {
    if (!(error instanceof LockfileError)) throw error
    diagnostics.push({
      origin: 'install',
      severity: 'warning',
      code: 'INVALID_LOCKFILE',
      message: `${posix.basename(file)} is ignored: ${error.message}`,
      file,
    })
    return undefined
  }
}

function missingIn(lockfile: Lockfile, packages: ProjectPackages): string[] {
  const missing: string[] = []
  for (const manifest of packages.manifests) {
    const folder = posix.relative(packages.base, manifest.folder)
    for (const field of DEPENDENCY_FIELDS) {
      for (const [name, specifier] of dependenciesOf(manifest, field)) {
        const isLocal = /^(?:workspace|file|link|portal):/.test(specifier)
        if (!isLocal && !lockfile.satisfies(folder, name, specifier)) missing.push(`${name}@${specifier}`)
      }
    }
  }
  return missing
}

function binaryLockfile(file: string): Diagnostic {
  return {
    origin: 'install',
    severity: 'warning',
    code: 'BINARY_LOCKFILE',
    message:
      'bun.lockb is a binary lockfile and is ignored; the newest versions that package.json allows are used.',
    file,
    hint: 'write a text lockfile with `bun install --save-text-lockfile`',
  }
}
