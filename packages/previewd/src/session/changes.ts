import type { ComingRevision, FileChange } from '../model/files.ts'

/** Files that decide what is installed, and for which Node. */
const PACKAGE_FILES =
  /(?:^|\/)(?:package\.json|\.nvmrc|\.node-version|pnpm-workspace\.yaml|\.npmrc|pnpm-lock\.yaml|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|bun\.lockb?)$/
/** More than this goes in with its revision, and not ahead of it. */
const MAX_AHEAD_BYTES = 1024 * 1024

/** True where other packages, or another Node, may be asked for. */
export function changePackages(changes: readonly FileChange[]): boolean {
  return changes.some(({ path }) => PACKAGE_FILES.test(path))
}

/** True where the plan may be another one: beside packages, it depends on which files there are. */
export function changeWhatThereIs(changes: readonly FileChange[]): boolean {
  return changes.some(({ kind }) => kind !== 'modified')
}

/** An edit that asks for no other worker and is small enough to be in memory. */
export function isPlainEdit({ changed, files }: ComingRevision): boolean {
  if (changePackages(changed) || changeWhatThereIs(changed)) return false
  const sizeBytes = files.reduce((sum, { size, content }) => sum + (content ? size : Infinity), 0)
  return sizeBytes <= MAX_AHEAD_BYTES
}
