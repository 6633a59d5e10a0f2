import type { FileChange, Manifest } from '../model/files.ts'

/** What makes the first revision's files into the second's. */
export function manifestDiff(before: Manifest, after: Manifest): FileChange[] {
  const changes: FileChange[] = []
  for (const path of before.keys()) if (!after.has(path)) changes.push({ path, kind: 'deleted' })
  for (const { path, sha256 } of after.values()) {
    const known = before.get(path)
    if (!known) changes.push({ path, kind: 'added' })
    else if (known.sha256 !== sha256) changes.push({ path, kind: 'modified' })
  }
  return changes
}
