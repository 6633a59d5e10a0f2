import { posix } from 'node:path'
import type { Manifest } from '../model/files.ts'

const MAX_COMPARED = 5000
const MAX_SUGGESTIONS = 3
const MAX_DISTANCE = 2

/**
 * Files that an import of `wanted` (a path without or with its extension) may have meant: the same path in other
 * letter case first, then a name that is at most two edits away in the same folder, then the same name elsewhere.
 */
export function nearNames(wanted: string, files: Manifest): string[] {
  const stem = withoutExtension(wanted)
  const name = posix.basename(stem).toLowerCase()
  const ranked: { path: string; rank: number }[] = []
  let compared = 0
  for (const path of files.keys()) {
    if (++compared > MAX_COMPARED) break
    const candidate = withoutExtension(path)
    const rank = rankOf(candidate, stem, name)
    if (rank !== undefined) ranked.push({ path, rank })
  }
  ranked.sort((a, b) => a.rank - b.rank)
  return ranked.slice(0, MAX_SUGGESTIONS).map(({ path }) => path)
}

function rankOf(candidate: string, stem: string, name: string): number | undefined {
  if (candidate === stem) return 0
  if (candidate.toLowerCase() === stem.toLowerCase()) return 1
  const other = posix.basename(candidate).toLowerCase()
  const sameFolder = posix.dirname(candidate) === posix.dirname(stem)
  if (sameFolder && name.length > 3 && distance(other, name) <= MAX_DISTANCE) return 2
  return other === name ? 3 : undefined
}

function withoutExtension(path: string): string {
  return path.replace(
    /(?:\/index)?\.(?:[cm]?[jt]sx?|vue|svelte|css|scss|sass|less|json|svg|png|jpe?g|html)$/i,
    '',
  )
}

/** Levenshtein's edit distance, given up above the maximum. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MAX_DISTANCE) return MAX_DISTANCE + 1
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
