import ignore, { type Ignore } from 'ignore'

/** The rules of one folder for what is below it. */
interface FolderRules {
  /** The folder, with its slash, or ''. */
  base: string
  rules: Ignore
}

/** Never a project's files, whatever .gitignore says. */
const NEVER = new Set(['node_modules', '.git'])
/** What editors and desktops keep beside the files for a while; a .gitignore can take each back. */
const LEFTOVERS = ['*~', '.*.sw[a-p]', '.*.swx', '.#*', '\\#*#', '*___jb_*___', '.DS_Store', 'Thumbs.db']
/** What tools write beside a package.json; a .gitignore can take each back. */
const OUTPUTS = [
  'dist',
  '.astro',
  '.cache',
  '.next',
  '.nuxt',
  '.output',
  '.parcel-cache',
  '.svelte-kit',
  '.turbo',
  '.vercel',
  '.vite',
  '.wrangler',
  'coverage',
].map((name) => `/${name}/`)
/** Stars that may be in one pattern: a name is matched in time that grows with the power of their number. */
const MAX_STARS = 4

/** Which files of a folder are not the project's: those of .gitignore files, outputs, leftovers, node_modules and .git. */
export class IgnoreRules {
  readonly #folders: readonly FolderRules[]

  /** `folders` from the outermost to the innermost. */
  constructor(folders: readonly FolderRules[] = []) {
    this.#folders = folders
  }

  /** The rules below a folder (`base`: '' or a path with its slash) that has these things in it. */
  inside(base: string, content: { gitignore?: string | undefined; hasManifest: boolean }): IgnoreRules {
    const lines = [...(base === '' ? LEFTOVERS : []), ...(content.hasManifest ? OUTPUTS : [])]
    if (content.gitignore !== undefined) lines.push(...content.gitignore.split(/\r?\n/).filter(isBounded))
    if (lines.length === 0) return this
    return new IgnoreRules([...this.#folders, { base, rules: ignore({ ignorecase: false }).add(lines) }])
  }

  /** Folders with their slash at the end. The innermost rule that says something of the path decides, as in git. */
  ignores(path: string): boolean {
    const name = path.slice(path.lastIndexOf('/', path.length - 2) + 1).replace(/\/$/, '')
    if (NEVER.has(name)) return true
    for (const { base, rules } of this.#folders.toReversed()) {
      if (path.length === base.length || !path.startsWith(base)) continue
      const { ignored, unignored } = rules.test(path.slice(base.length))
      if (ignored || unignored) return ignored
    }
    return false
  }
}

function isBounded(line: string): boolean {
  return line.length <= 1024 && (line.match(/\*+/g)?.length ?? 0) <= MAX_STARS
}
