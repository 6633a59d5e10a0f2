/** One package version that a lockfile pins. */
export interface LockedPackage {
  name: string
  version: string
  /** Subresource integrity, e.g. `sha512-…`. */
  integrity?: string
  /** It stands in the top node_modules, where the project and every package can import it. */
  isTop?: boolean
}

export type LockfileKind = 'pnpm' | 'npm' | 'yarn' | 'bun'

/** What a lockfile says, whoever wrote it. */
export interface Lockfile {
  kind: LockfileKind
  /** Path inside the project. */
  file: string
  packages: LockedPackage[]
  /** True where the lockfile has this dependency of the package in this folder (relative to the lockfile). */
  satisfies(folder: string, name: string, specifier: string): boolean
}

/** Why a lockfile cannot be read. */
export class LockfileError extends Error {
  constructor(detail: string, options?: ErrorOptions) {
    super(detail, options)
    this.name = 'LockfileError'
  }
}

export const MAX_LOCKED_PACKAGES = 50_000
