import type { BigIntStats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { IgnoreRules } from './ignore-rules.ts'
import { isAbsent, type Opened, openBeneath } from './open-beneath.ts'

/** A regular file that was found. */
export interface FoundFile {
  /** Relative POSIX. */
  path: string
  stats: BigIntStats
}

export interface WalkOptions {
  signal?: AbortSignal
  /** Told of each folder that is entered: its path ('' or with a slash at its end), and the rules inside it. */
  onFolder?: (base: string, rules: IgnoreRules) => void
  /** Files that are the project's although a rule leaves them out. */
  keeps?: (path: string) => boolean
}

const MAX_GITIGNORE_BYTES = 256 * 1024
/** A path of 1,024 bytes has no more. */
const MAX_DEPTH = 512
const STATS_AHEAD = 16

/**
 * The regular files below `root` (absolute, without links in it) that are a project's, sorted by name within each
 * folder. Links are neither followed nor listed. What goes away meanwhile is left out; a root that is not there
 * rejects with ENOENT.
 */
export async function* walkFolder(root: string, options: WalkOptions = {}): AsyncGenerator<FoundFile> {
  const waiting: { base: string; rules: IgnoreRules }[] = [{ base: '', rules: new IgnoreRules() }]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    options.signal?.throwIfAborted()
    const found = await readFolder(root, next.base, next.rules, options)
    if (!found) {
      if (next.base === '') throw Object.assign(new Error(`${root} is not a folder`), { code: 'ENOENT' })
      continue
    }
    options.onFolder?.(next.base, found.rules)
    yield* found.files
    for (const name of found.folders.toReversed()) {
      const base = `${next.base}${name}/`
      if (base.split('/').length <= MAX_DEPTH) waiting.push({ base, rules: found.rules })
    }
  }
}

interface Folder {
  rules: IgnoreRules
  files: FoundFile[]
  folders: string[]
}

async function readFolder(
  root: string,
  base: string,
  outer: IgnoreRules,
  { keeps }: WalkOptions,
): Promise<Folder | undefined> {
  await using folder = await openBeneath(root, base.replace(/\/$/, ''), 'folder').catch((error: unknown) => {
    // A folder inside that belongs to somebody else, say the one of a database, is not the project's.
    if (base !== '' && (error as NodeJS.ErrnoException).code === 'EACCES') return undefined
    throw error
  })
  if (!folder) return undefined
  const entries = await readdir(folder.path, { withFileTypes: true })
  const names = new Set(entries.map(({ name }) => name))
  const rules = outer.inside(base, {
    gitignore: names.has('.gitignore') ? await readGitignore(root, base) : undefined,
    hasManifest: names.has('package.json'),
  })
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const isKept = (path: string) => !rules.ignores(path) || keeps?.(path) === true
  return {
    rules,
    folders: sorted.flatMap((entry) =>
      entry.isDirectory() && !rules.ignores(`${base}${entry.name}/`) ? [entry.name] : [],
    ),
    files: await statAll(
      folder,
      base,
      sorted.flatMap((entry) => (entry.isFile() && isKept(`${base}${entry.name}`) ? [entry.name] : [])),
    ),
  }
}

async function statAll(folder: Opened, base: string, names: readonly string[]): Promise<FoundFile[]> {
  const files: FoundFile[] = []
  for (let at = 0; at < names.length; at += STATS_AHEAD) {
    const found = await Promise.all(
      names.slice(at, at + STATS_AHEAD).map(async (name) => {
        const stats = await statFile(join(folder.path, name))
        return stats ? [{ path: `${base}${name}`, stats }] : []
      }),
    )
    files.push(...found.flat())
  }
  return files
}

async function statFile(path: string): Promise<BigIntStats | undefined> {
  try {
    const stats = await lstat(path, { bigint: true })
    return stats.isFile() ? stats : undefined
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

async function readGitignore(root: string, base: string): Promise<string | undefined> {
  await using file = await openBeneath(root, `${base}.gitignore`, 'file')
  if (!file || (await file.handle.stat()).size > MAX_GITIGNORE_BYTES) return undefined
  return await file.handle.readFile('utf8')
}

/** The rules that hold for what is in the folder of a file, read anew. */
export async function rulesAround(root: string, path: string): Promise<IgnoreRules> {
  const segments = path.split('/').slice(0, -1)
  let rules = new IgnoreRules()
  for (let depth = 0; depth <= segments.length; depth++) {
    const base = segments
      .slice(0, depth)
      .map((name) => `${name}/`)
      .join('')
    // A folder that is left out has no say in what is in it.
    if (base !== '' && rules.ignores(base)) return rules
    await using manifest = await openBeneath(root, `${base}package.json`, 'file')
    rules = rules.inside(base, {
      gitignore: await readGitignore(root, base),
      hasManifest: manifest !== undefined,
    })
  }
  return rules
}

/** True where the rules leave out the file or a folder that it is in. */
export function isLeftOut(rules: IgnoreRules, path: string): boolean {
  const segments = path.split('/')
  return segments.some((_, at) => {
    const isLast = at === segments.length - 1
    return rules.ignores(segments.slice(0, at + 1).join('/') + (isLast ? '' : '/'))
  })
}
