import { posix } from 'node:path'
import type { InputEntry, OutputEntry } from '../model/worker.ts'

/** One symbolic link: its path below the install's folder, and what it says. */
export type TreeLink = [path: string, target: string]

export interface InstalledTree {
  links: TreeLink[]
  /** The pnpm-lock.yaml that the installer left. */
  lockfile: string | undefined
}

export const STORE_TARGET = '/store'
const MAX_LOCKFILE_BYTES = 32 * 1024 * 1024

/**
 * Takes the links of node_modules out of an installer's /app. Targets in the store become absolute, so that the tree
 * may stand in any folder; a link that leads anywhere else than to the store or within /app is an error, because only
 * a subverted installer would make one.
 */
export async function readInstalledTree(output: AsyncIterable<OutputEntry>): Promise<InstalledTree> {
  const links: TreeLink[] = []
  let lockfile: string | undefined
  for await (const entry of output) {
    if (entry.kind === 'link') {
      if (isInNodeModules(entry.path)) links.push([entry.path, resolveTarget(entry.path, entry.target)])
      continue
    }
    const chunks: Buffer[] = []
    const isLockfile = entry.path === 'pnpm-lock.yaml' && entry.size <= MAX_LOCKFILE_BYTES
    for await (const chunk of entry.content) if (isLockfile) chunks.push(chunk)
    if (isLockfile) lockfile = Buffer.concat(chunks).toString('utf8')
  }
  links.sort(([a], [b]) => (a < b ? -1 : 1))
  return { links, lockfile }
}

function isInNodeModules(path: string): boolean {
  return path.split('/').includes('node_modules')
}

function resolveTarget(path: string, target: string): string {
  const resolved = posix.resolve('/app', posix.dirname(path), target)
  if (resolved.startsWith(`${STORE_TARGET}/`)) return resolved
  if (resolved === '/app' || resolved.startsWith('/app/')) {
    const from = posix.join('/app', posix.dirname(path))
    return posix.relative(from, resolved) || '.'
  }
  throw new Error(`the installer made a link to ${JSON.stringify(target)}`)
}

/** The entries of an environment whose install stood in `base`, for a project whose package.json is in `root`. */
export function toEntries(links: readonly TreeLink[], base: string, root: string): InputEntry[] {
  const entries: InputEntry[] = links.map(([path, target]) => ({
    kind: 'link',
    path: posix.join(base, path),
    target,
  }))
  // The sandbox's /node_modules, for packages that import what they do not declare, leads to /app/node_modules.
  const isTop = links.some(([path]) => base === '' && path.startsWith('node_modules/'))
  if (root !== '' && !isTop) {
    entries.push({ kind: 'link', path: 'node_modules', target: posix.join(root, 'node_modules') })
  }
  return entries
}
