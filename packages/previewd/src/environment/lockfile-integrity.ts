import type { Diagnostic } from '../model/diagnostic.ts'
import type { LockedPackage } from './locked-packages.ts'

const MAX_MISMATCHES = 5
/** `  name@1.0.0:` and, on the next line, `    resolution: {integrity: sha512-…}` of the lockfile that pnpm wrote. */
const ENTRY = /^ {2}'?((?:@[^/\s]+\/)?[^@'\s]+@[^('\s:]+)[^\n]*:\n {4}resolution: \{integrity: ([^,}\s]+)/gm

/**
 * Problems where a package was installed with other bytes than the project's own lockfile vouches for. Importing or fixing a
 * lockfile takes over versions only, so this is looked at afterwards. Weaker hashes than sha512 are not compared.
 */
export function compareIntegrity(wanted: readonly LockedPackage[], installedLockfile: string): Diagnostic[] {
  const vouched = new Map(wanted.map(({ name, version, integrity }) => [`${name}@${version}`, integrity]))
  const mismatches: Diagnostic[] = []
  for (const [, id = '', actual = ''] of installedLockfile.matchAll(ENTRY)) {
    const expected = sha512Of(vouched.get(id))
    if (expected === undefined || expected === sha512Of(actual)) continue
    mismatches.push({
      origin: 'install',
      severity: 'error',
      code: 'INTEGRITY_MISMATCH',
      message: `The lockfile has other content for ${id} than the registry: ${expected} against ${actual}.`,
      hint: 'delete the lockfile entry and install again with the package manager that wrote it',
    })
    if (mismatches.length >= MAX_MISMATCHES) break
  }
  return mismatches
}

function sha512Of(integrity: string | undefined): string | undefined {
  return integrity?.split(/\s+/).find((hash) => hash.startsWith('sha512-'))
}
