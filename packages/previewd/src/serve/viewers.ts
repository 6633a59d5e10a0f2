import type { Painted, Viewers } from '../model/session.ts'

const MAX_PAGES = 5000
const MAX_PAGES_PER_PROJECT = 256
/** Projects whose last report is kept while no page is open. */
const MAX_PROJECTS = 2000
/** A page that is reloaded, or whose connection broke, is back within this time. */
const GRACE_MS = 2000

/** One open page of an editor. */
export interface ViewerPage {
  /** It says what it is a page of; see {@link SessionAddress} for `generation`. */
  shows(mode: 'session' | 'build', generation?: string): void
  report(report: Omit<Painted, 'at'>): void
  leave(): void
}

/** The viewers, as the gateway sees them come, report and go. */
export interface OpenViewers extends Viewers {
  /** Undefined where there are too many pages. */
  enter(project: string): ViewerPage | undefined
  /** Drops what a project reported that is no more. */
  forget(project: string): void
}

export function createViewers(options: { now?: () => number } = {}): OpenViewers {
  return new PageCounts(options.now ?? Date.now)
}

/**
 * Counts the pages that show a project, and keeps the newest revision that one of them painted. The last
 * page of a project counts for a moment after it left: most that leave are being reloaded.
 */
class PageCounts implements OpenViewers {
  readonly #now: () => number
  readonly #counts = new Map<string, number>()
  /** The generation of the session's page that came first or was painted last; none where one of the build came after it. */
  readonly #onScreen = new Map<string, string | undefined>()
  /** Projects whose last page left a moment ago. */
  readonly #leaving = new Map<string, NodeJS.Timeout>()
  readonly #reports = new Map<string, Painted>()
  readonly #listeners = new Set<(project: string) => void>()
  #pages = 0

  constructor(now: () => number) {
    this.#now = now
  }

  count(project: string): number {
    return this.#counts.get(project) ?? (this.#leaving.has(project) ? 1 : 0)
  }

  painted(project: string): Painted | undefined {
    return this.#reports.get(project)
  }

  isChangingOver(project: string, generation: string | undefined): boolean {
    return this.#onScreen.has(project) && this.#onScreen.get(project) !== generation
  }

  listen(listener: (project: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  enter(project: string): ViewerPage | undefined {
    if (this.#pages >= MAX_PAGES || (this.#counts.get(project) ?? 0) >= MAX_PAGES_PER_PROJECT)
      return undefined
    let isInside = true
    let session: { generation: string | undefined } | undefined
    clearTimeout(this.#leaving.get(project))
    this.#leaving.delete(project)
    this.#add(project, 1)
    return {
      shows: (mode, generation) => {
        session = mode === 'session' ? { generation } : undefined
        if (!isInside) return
        if (!session) this.#onScreen.set(project, undefined)
        else if (!this.#onScreen.has(project)) this.#onScreen.set(project, generation)
      },
      report: (said) => {
        if (isInside && session && this.isChangingOver(project, session.generation)) {
          this.#onScreen.set(project, session.generation)
          this.#tell(project)
        }
        this.#report(project, said)
      },
      leave: () => {
        if (!isInside) return
        isInside = false
        if (this.#counts.get(project) === 1) this.#linger(project)
        this.#add(project, -1)
      },
    }
  }

  forget(project: string): void {
    this.#reports.delete(project)
  }

  #tell(project: string): void {
    for (const listener of this.#listeners) listener(project)
  }

  #add(project: string, change: 1 | -1): void {
    const count = (this.#counts.get(project) ?? 0) + change
    if (count === 0) this.#counts.delete(project)
    else this.#counts.set(project, count)
    this.#pages += change
    this.#tell(project)
  }

  #linger(project: string): void {
    const timer = setTimeout(() => {
      this.#leaving.delete(project)
      this.#onScreen.delete(project)
      this.#tell(project)
    }, GRACE_MS)
    this.#leaving.set(project, timer.unref())
  }

  #report(project: string, said: Omit<Painted, 'at'>): void {
    const kept = this.#reports.get(project)
    if (kept !== undefined && !supersedes(said, kept)) return
    // Reports are kept in the order of their age, so that the first key is the oldest.
    this.#reports.delete(project)
    this.#reports.set(project, { ...said, at: new Date(this.#now()).toISOString() })
    const [oldest] = this.#reports.keys()
    if (this.#reports.size > MAX_PROJECTS && oldest !== undefined) this.#reports.delete(oldest)
    this.#tell(project)
  }
}

/** A page in a hidden tab does not take the word of one that somebody sees. */
function supersedes(said: Omit<Painted, 'at'>, kept: Painted): boolean {
  if (said.revision !== kept.revision) return said.revision > kept.revision
  return said.visible || !kept.visible
}
