import { toPlainText } from '../lib/plain-text.ts'
import type { FileChange } from '../model/files.ts'
import type { SessionView } from '../model/session.ts'
import type { ProjectStatus } from '../model/status.ts'
import type { LogLine } from '../model/worker.ts'
import { formatDiagnostics } from './diagnostics.ts'
import type { Progress } from './progress.ts'
import { formatMs, paint, printLine, type Terminal } from './terminal.ts'

const SHOWN_PATHS = 3
const KINDS: Record<string, string> = {
  none: 'no open page uses it',
  hmr: 'updated in place',
  reload: 'pages reload',
  restart: 'dev server restarted',
}

/** What became of each edit, as lines of a terminal. */
export class DevReport {
  readonly #terminal: Terminal
  readonly #progress: Progress
  readonly #withLogs: boolean
  #session = ''
  #build = ''
  #problems = ''

  constructor(terminal: Terminal, progress: Progress, { logs = false }: { logs?: boolean | undefined }) {
    this.#terminal = terminal
    this.#progress = progress
    this.#withLogs = logs
  }

  /** Takes an event of the project as the API sends it. */
  tell(event: string, data: unknown): void {
    if (event === 'revision')
      this.#changed(data as { revision: number; changed: FileChange[]; total: number })
    else if (event === 'session') this.#updated(data as SessionView & { kind?: string })
    else if (event === 'status') this.#status(data as ProjectStatus)
    else if (event === 'log') this.#log(data as { session?: true; buildId?: string; lines: LogLine[] })
  }

  #changed({ revision, changed, total }: { revision: number; changed: FileChange[]; total: number }): void {
    if (revision === 1) return
    const shown = changed.slice(0, SHOWN_PATHS).map(({ path, kind }) => {
      const mark = kind === 'added' ? '+' : kind === 'deleted' ? '-' : ''
      return `${mark}${toPlainText(path)}`
    })
    const more = total > shown.length ? ` and ${total - shown.length} more` : ''
    this.#line(`${shown.join(', ')}${more}`)
  }

  #updated({ kind, viewers }: SessionView & { kind?: string }): void {
    const words = kind && KINDS[kind]
    if (words && viewers > 0) this.#line(this.#dim(`  ${words}`))
  }

  #status(status: ProjectStatus): void {
    const { session, state, progress } = status
    if (state === 'installing') {
      const of = progress?.total === undefined ? '' : ` of ${progress.total}`
      this.#progress.phase('Installing packages', progress && `${progress.done}${of}`)
    } else if (session.state === 'starting') this.#progress.phase('Starting the dev server')
    else this.#progress.stop()
    this.#sessionState(session)
    this.#buildState(status)
    this.#diagnostics(status)
  }

  #sessionState({ state, startMs, reason }: SessionView): void {
    const now = `${state} ${reason ?? ''}`
    if (now === this.#session) return
    this.#session = now
    if (state === 'live') {
      const time = startMs === undefined ? '' : ` in ${formatMs(startMs)}`
      this.#line(`${paint(this.#terminal.out, 'green', '✓')} live${time}`)
    } else if (state === 'error' || (state === 'off' && reason)) {
      this.#line(this.#dim(`  no dev server: ${toPlainText(reason ?? 'it failed')}`))
    }
  }

  /** Where a dev server shows the edits, builds are of interest only where they fail. */
  #buildState({ build, session }: ProjectStatus): void {
    const now = `${build?.id} ${build?.state}`
    if (!build || now === this.#build) return
    this.#build = now
    if (build.state === 'failed' || build.state === 'timed_out') {
      this.#line(`${paint(this.#terminal.out, 'red', '✗')} build ${build.state.replace('_', ' ')}`)
    } else if (build.state === 'succeeded' && session.state !== 'live' && session.state !== 'starting') {
      this.#line(`${paint(this.#terminal.out, 'green', '✓')} built in ${formatMs(build.durationMs ?? 0)}`)
    }
  }

  #diagnostics({ diagnostics, state, session }: ProjectStatus): void {
    const now = JSON.stringify(diagnostics.map(({ message, file, line }) => [message, file, line]))
    if (now === this.#problems) return
    const hadSome = this.#problems !== '' && this.#problems !== '[]'
    if (diagnostics.length > 0) this.#line(formatDiagnostics(this.#terminal.out, diagnostics).trimStart())
    else if (hadSome && (state === 'ready' || session.state === 'live')) {
      this.#line(`${paint(this.#terminal.out, 'green', '✓')} no problems left`)
    }
    this.#problems = now
  }

  /** What is neither a build's nor a session's comes from the server itself: a source that cannot be read, say. */
  #log({ session, buildId, lines }: { session?: true; buildId?: string; lines: LogLine[] }): void {
    if (buildId !== undefined || (session && !this.#withLogs)) return
    for (const { text } of lines) {
      const words = toPlainText(text)
      this.#line(session ? this.#dim(`│ ${words}`) : `${paint(this.#terminal.out, 'yellow', '!')} ${words}`)
    }
  }

  #dim(text: string): string {
    return paint(this.#terminal.out, 'dim', text)
  }

  #line(text: string): void {
    this.#progress.stop()
    printLine(this.#terminal, text)
  }
}
