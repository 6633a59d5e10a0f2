import type { Stats } from 'node:fs'
import { relative } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { IgnoreRules } from '../lib/folder/ignore-rules.ts'
import { walkFolder } from '../lib/folder/walk.ts'

export interface FolderWatchOptions {
  /** Files that are the project's although a rule leaves them out. */
  keeps: (path: string) => boolean
  /** Told in batches; undefined: anything may have changed. */
  onChange: (paths: readonly string[] | undefined) => void
}

/** Saves that come closer to one another are told as one; a rename is two of them. */
const SETTLE_MS = 4
/** Saves that never pause are told of after this time all the same. */
const MAX_SETTLE_MS = 150
/** More are told as "anything". */
const MAX_PATHS = 500
/** Where the system gives no more watches, the folder is looked at so often. */
const LOOK_AGAIN_MS = 2_000

/**
 * Tells of changes below a folder (absolute, without links in it) until it is disposed of. What it tells is a hint:
 * where a path leads, and whether it is the project's, is for the reader to see. Links are not followed.
 */
export function watchFolder(root: string, options: FolderWatchOptions): AsyncDisposable {
  return new FolderWatch(root, options)
}

class FolderWatch implements AsyncDisposable {
  readonly #root: string
  readonly #options: FolderWatchOptions
  readonly #changed = new Set<string>()
  /** By folder, as they were when the watch began. */
  #rules = new Map<string, IgnoreRules>()
  #watcher: FSWatcher | undefined
  #starting: Promise<void>
  #mustRestart = false
  #settle: NodeJS.Timeout | undefined
  #firstMs = 0
  #lookAgain: NodeJS.Timeout | undefined
  #closed = false

  constructor(root: string, options: FolderWatchOptions) {
    this.#root = root
    this.#options = options
    this.#starting = this.#start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearTimeout(this.#settle)
    clearInterval(this.#lookAgain)
    await this.#starting
    await this.#watcher?.close()
  }

  /** Never rejects. What was changed before it is ready is told as "anything". */
  async #start(): Promise<void> {
    this.#mustRestart = false
    this.#rules = await this.#readRules()
    if (this.#closed) return
    this.#watcher = watch(this.#root, {
      ignoreInitial: true,
      followSymlinks: false,
      ignorePermissionErrors: true,
      // An unlink and what follows it are put together here, in less time.
      atomic: false,
      ignored: (path, stats) => this.#isIgnored(path, stats),
    })
    this.#watcher.on('all', (event, path) => this.#note(event, path))
    this.#watcher.on('ready', () => this.#tell(undefined))
    this.#watcher.on('error', () => {
      this.#lookAgain ??= setInterval(() => this.#tell(undefined), LOOK_AGAIN_MS)
    })
  }

  /** None where the folder cannot be read: the watcher waits for it, and whoever reads the source is told why. */
  async #readRules(): Promise<Map<string, IgnoreRules>> {
    const rules = new Map<string, IgnoreRules>()
    const files = walkFolder(this.#root, { onFolder: (base, inside) => rules.set(base, inside) })
    try {
      for await (const _ of files) if (this.#closed) break
      return rules
    } catch {
      return new Map()
    }
  }

  #restart(): void {
    if (this.#mustRestart) return
    this.#mustRestart = true
    this.#starting = this.#starting.then(async () => {
      await this.#watcher?.close()
      await this.#start()
    })
  }

  /** Asked without `stats` where it is not known yet what the path is: then only what is left out in any case. */
  #isIgnored(path: string, stats: Stats | undefined): boolean {
    const name = relative(this.#root, path)
    if (name === '' || name.startsWith('..')) return false
    const rules = this.#rulesFor(name)
    const asFolder = rules.ignores(`${name}/`)
    if (stats?.isDirectory()) return asFolder
    const asFile = rules.ignores(name) && !this.#options.keeps(name)
    return stats ? asFile : asFile && asFolder
  }

  #rulesFor(name: string): IgnoreRules {
    let end = name.lastIndexOf('/')
    while (end > 0) {
      const rules = this.#rules.get(name.slice(0, end + 1))
      if (rules) return rules
      end = name.lastIndexOf('/', end - 1)
    }
    return this.#rules.get('') ?? new IgnoreRules()
  }

  #note(event: string, path: string): void {
    const name = relative(this.#root, path)
    if (decidesRules(event, name)) this.#restart()
    if (event === 'addDir' || event === 'unlinkDir') {
      if (name === '') this.#tell(undefined)
      return
    }
    if (this.#changed.size === 0) this.#firstMs = performance.now()
    if (this.#changed.size <= MAX_PATHS) this.#changed.add(name)
    clearTimeout(this.#settle)
    const leftMs = this.#firstMs + MAX_SETTLE_MS - performance.now()
    this.#settle = setTimeout(() => this.#tellChanged(), Math.max(0, Math.min(SETTLE_MS, leftMs)))
  }

  #tellChanged(): void {
    const paths = [...this.#changed]
    this.#changed.clear()
    this.#tell(paths.length > MAX_PATHS ? undefined : paths)
  }

  #tell(paths: readonly string[] | undefined): void {
    if (!this.#closed) this.#options.onChange(paths)
  }
}

/** True where other files may be the project's from now on. */
function decidesRules(event: string, name: string): boolean {
  const last = name.slice(name.lastIndexOf('/') + 1)
  if (name === '') return event === 'addDir'
  return last === '.gitignore' || (last === 'package.json' && event !== 'change')
}
