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

/**
 * Counts the pages that show a project, and keeps the newest revision that one of them painted. The last
 * page of a project counts for a moment after it left: most that leave are being reloaded.
 */
export function createViewers(options: { now?: () => number } = {}): OpenViewers {
  const { now = Date.now } = options
  const counts = new Map<string, number>()
  /** The generation of the session's page that came first or was painted last; none where one of the build came after it. */
  const onScreen = new Map<string, string | undefined>()
  /** Projects whose last page left a moment ago. */
  const leaving = new Map<string, NodeJS.Timeout>()
  const reports = new Map<string, Painted>()
  const listeners = new Set<(project: string) => void>()
  let pages = 0
  const tell = (project: string): void => {
    for (const listener of listeners) listener(project)
  }
  const add = (project: string, change: 1 | -1): void => {
    const count = (counts.get(project) ?? 0) + change
    if (count === 0) counts.delete(project)
    else counts.set(project, count)
    pages += change
    tell(project)
  }
  const linger = (project: string): void => {
    const timer = setTimeout(() => {
      leaving.delete(project)
      onScreen.delete(project)
      tell(project)
    }, GRACE_MS)
    leaving.set(project, timer.unref())
  }
  const comeBack = (project: string): void => {
    clearTimeout(leaving.get(project))
    leaving.delete(project)
  }
  const report = (project: string, said: Omit<Painted, 'at'>): void => {
    const kept = reports.get(project)
    if (kept !== undefined && !supersedes(said, kept)) return
    // Reports are kept in the order of their age, so that the first key is the oldest.
    reports.delete(project)
    reports.set(project, { ...said, at: new Date(now()).toISOString() })
    const [oldest] = reports.keys()
    if (reports.size > MAX_PROJECTS && oldest !== undefined) reports.delete(oldest)
    tell(project)
  }
  return {
    count: (project) => counts.get(project) ?? (leaving.has(project) ? 1 : 0),
    painted: (project) => reports.get(project),
    isChangingOver: (project, generation) => onScreen.has(project) && onScreen.get(project) !== generation,
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    enter(project) {
      if (pages >= MAX_PAGES || (counts.get(project) ?? 0) >= MAX_PAGES_PER_PROJECT) return undefined
      let inside = true
      let shown: { mode: 'session' | 'build'; generation: string | undefined } | undefined
      comeBack(project)
      add(project, 1)
      return {
        shows(mode, generation) {
          shown = { mode, generation }
          if (!inside) return
          if (mode === 'build') onScreen.set(project, undefined)
          else if (!onScreen.has(project)) onScreen.set(project, generation)
        },
        report(said) {
          if (inside && shown?.mode === 'session' && onScreen.get(project) !== shown.generation) {
            onScreen.set(project, shown.generation)
            tell(project)
          }
          report(project, said)
        },
        leave() {
          if (!inside) return
          inside = false
          if (counts.get(project) === 1) linger(project)
          add(project, -1)
        },
      }
    },
    forget: (project) => void reports.delete(project),
  }
}

/** A page in a hidden tab does not take the word of one that somebody sees. */
function supersedes(said: Omit<Painted, 'at'>, kept: Painted): boolean {
  if (said.revision !== kept.revision) return said.revision > kept.revision
  return said.visible || !kept.visible
}
