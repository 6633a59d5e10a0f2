import type { Painted, Viewers } from '../model/session.ts'

const MAX_PAGES = 5000
const MAX_PAGES_PER_PROJECT = 256
/** Projects whose last report is kept while no page is open. */
const MAX_PROJECTS = 2000
/** A page that is reloaded, or whose connection broke, is back within this time. */
const GRACE_MS = 2000

/** What a page says of itself. */
type Report = Omit<Painted, 'at'>

interface OpenPage {
  /** What it is a page of, once it has said so. */
  session?: { generation: string | undefined } | undefined
  said?: Report
}

/** One open page of an editor. */
export interface ViewerPage {
  /** It says what it is a page of; see {@link SessionAddress} for `generation`. */
  shows(mode: 'session' | 'build', generation?: string): void
  report(report: Report): void
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
  /** What the open pages of a project said last. */
  readonly #open = new Map<string, Set<OpenPage>>()
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
    return this.#open.get(project)?.size ?? (this.#leaving.has(project) ? 1 : 0)
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
    const pages = this.#open.get(project) ?? new Set<OpenPage>()
    if (this.#pages >= MAX_PAGES || pages.size >= MAX_PAGES_PER_PROJECT) return undefined
    const page: OpenPage = {}
    clearTimeout(this.#leaving.get(project))
    this.#leaving.delete(project)
    this.#open.set(project, pages.add(page))
    this.#pages++
    this.#tell(project)
    return {
      shows: (mode, generation) => {
        page.session = mode === 'session' ? { generation } : undefined
        if (!pages.has(page)) return
        if (!page.session) this.#onScreen.set(project, undefined)
        else if (!this.#onScreen.has(project)) this.#onScreen.set(project, generation)
      },
      report: (said) => {
        const { session } = page
        page.said = said
        if (pages.has(page) && session && this.isChangingOver(project, session.generation)) {
          this.#onScreen.set(project, session.generation)
          this.#tell(project)
        }
        this.#report(project, together(said, pages))
      },
      leave: () => {
        if (!pages.delete(page)) return
        this.#pages--
        if (pages.size === 0) {
          this.#open.delete(project)
          this.#linger(project)
        }
        this.#tell(project)
      },
    }
  }

  forget(project: string): void {
    this.#reports.delete(project)
  }

  #tell(project: string): void {
    for (const listener of this.#listeners) listener(project)
  }

  #linger(project: string): void {
    const timer = setTimeout(() => {
      this.#leaving.delete(project)
      this.#onScreen.delete(project)
      this.#tell(project)
    }, GRACE_MS)
    this.#leaving.set(project, timer.unref())
  }

  #report(project: string, said: Report): void {
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

/** Of pages that show the same, one with an error is not outspoken by one without; those that somebody sees count. */
function together(said: Report, pages: ReadonlySet<OpenPage>): Report {
  const others = [...pages].flatMap((page) => page.said ?? [])
  const alike = [said, ...others].filter(
    ({ revision, visible }) => revision === said.revision && visible === said.visible,
  )
  return { ...said, errors: Math.max(...alike.map(({ errors }) => errors)) }
}

/** A page in a hidden tab does not take the word of one that somebody sees. */
function supersedes(said: Report, kept: Painted): boolean {
  if (said.revision !== kept.revision) return said.revision > kept.revision
  return said.visible || !kept.visible
}
