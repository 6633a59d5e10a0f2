import { isDeepStrictEqual } from 'node:util'
import { LRUCache } from 'lru-cache'
import { redactDiagnostic, redactor } from '../build/redact.ts'
import { refine } from '../build/refine.ts'
import { fromToolError } from '../build/tool-error.ts'
import { toPlainText } from '../lib/plain-text.ts'
import type { Build } from '../model/build.ts'
import type { ReportedDiagnostic } from '../model/diagnostic.ts'
import type { AppliedChanges, ChangeBatch } from '../model/files.ts'
import { DEFAULT_SETTINGS, type ProjectSettings } from '../model/project.ts'
import type { DevUpdate, LogLine } from '../model/worker.ts'
import { secretsOf } from './env-sets.ts'
import { LogEvents } from './log-events.ts'
import type { PipelineParts } from './parts.ts'

type Parts = Pick<
  PipelineParts,
  'projects' | 'files' | 'events' | 'sessions' | 'appServers' | 'viewers' | 'onError'
>

/** Projects whose servers wrote last; a log holds what it has not told yet. */
const MAX_SERVER_LOGS = 500

interface LiveListener {
  /** The session of a project, its viewers or their words are other than before. */
  onChange: (project: string) => void
  /** There is no session any more that shows edits. */
  onEnd: (project: string) => void
}

interface Shown {
  update: DevUpdate
  diagnostics: ReportedDiagnostic[]
  /** The newest revision for which open pages had to change. */
  visible: number
}

/** Brings revisions into live sessions, and keeps what they made of them for as long as the session is there. */
export class LiveChanges {
  readonly #parts: Parts
  readonly #listener: LiveListener
  readonly #shown = new Map<string, Shown>()
  /** How many revisions are being brought in. */
  readonly #underWay = new Map<string, number>()
  readonly #logs = new Map<string, LogEvents>()
  readonly #serverLogs = new LRUCache<string, LogEvents>({ max: MAX_SERVER_LOGS })
  readonly #stopListening: (() => void)[]

  constructor(parts: Parts, listener: LiveListener) {
    this.#parts = parts
    this.#listener = listener
    this.#stopListening = [
      parts.events.listen(({ type, project, data }) => {
        if (type === 'session') this.#sessionChanged(project)
        if (type === 'build' && hasSucceeded(data) && parts.sessions.view(project).state !== 'off') {
          void this.bringIn(project, { installed: true })
        }
      }),
    ]
    if (parts.viewers) this.#stopListening.push(parts.viewers.listen(listener.onChange))
  }

  close(): void {
    for (const stop of this.#stopListening) stop()
    for (const log of this.#logs.values()) log.flush()
  }

  /** True where a session shows edits, or soon will. */
  isOn(project: string): boolean {
    const { state } = this.#parts.sessions.view(project)
    return state === 'live' || state === 'starting'
  }

  /** Makes a batch a revision; a session begins to show it meanwhile, one that sleeps in front of an editor starts. */
  async apply(project: string, batch: ChangeBatch): Promise<AppliedChanges> {
    const { files, sessions, viewers } = this.#parts
    if ((viewers?.count(project) ?? 0) > 0) sessions.wake(project)
    return await files.apply(project, batch, (coming) => sessions.foresee(project, coming))
  }

  /** Never rejects. */
  async bringIn(project: string, options: { installed?: boolean } = {}): Promise<void> {
    this.#underWay.set(project, (this.#underWay.get(project) ?? 0) + 1)
    try {
      const update = await this.#parts.sessions.apply(project, options)
      // One update serves all revisions that came while another was brought in.
      if (update && this.#shown.get(project)?.update !== update) await this.#show(project, update)
    } catch (error) {
      this.#parts.onError(error, `A revision of project ${project} could not be shown live.`)
    } finally {
      const left = (this.#underWay.get(project) ?? 1) - 1
      if (left > 0) this.#underWay.set(project, left)
      else this.#underWay.delete(project)
      this.#listener.onChange(project)
    }
  }

  /** True where the session has the revision and what it made of it is known: its diagnostics come a moment later. */
  isBroughtIn(project: string, revision: number): boolean {
    const view = this.#parts.sessions.view(project)
    return view.state === 'live' && (view.revision ?? 0) >= revision && !this.#underWay.has(project)
  }

  /** What runs goes on with the new settings; the server of a build wakes with them for the next request. */
  changeSettings(project: string, before: ProjectSettings, now: ProjectSettings): void {
    if (isDeepStrictEqual(before, now)) return
    void this.bringIn(project)
    const ofServer = ({ env, egress }: ProjectSettings) => ({ env, egress })
    if (!isDeepStrictEqual(ofServer(before), ofServer(now))) void this.#parts.appServers?.stop(project)
  }

  /** A line that the dev server of a project wrote, or the server of its build. */
  log(project: string, { stream, text }: LogLine, of: 'session' | 'server'): void {
    if (of === 'session' && !this.isOn(project)) return
    const { projects, events } = this.#parts
    const logs = of === 'session' ? this.#logs : this.#serverLogs
    const source = of === 'session' ? { session: true as const } : { server: true as const }
    const log = logs.get(project) ?? new LogEvents(events, project, source)
    logs.set(project, log)
    const redact = redactor(secretsOf(projects.get(project)?.settings ?? DEFAULT_SETTINGS))
    log.push({ at: new Date().toISOString(), stream, text: toPlainText(redact(text)) })
  }

  diagnostics(project: string): ReportedDiagnostic[] {
    return this.#shown.get(project)?.diagnostics ?? []
  }

  /** True also where no page is open, or where none had to change for it. */
  isPainted(project: string, revision: number): boolean {
    const { viewers, sessions } = this.#parts
    if (!viewers || viewers.count(project) === 0) return true
    if ((viewers.painted(project)?.revision ?? 0) >= revision) return true
    // A dev server that no page has asked yet says of every edit that none has to change for it.
    if (viewers.isChangingOver(project, sessions.address(project)?.generation)) return false
    const shown = this.#shown.get(project)
    return shown !== undefined && shown.update.revision >= revision && shown.visible < revision
  }

  async #show(project: string, update: DevUpdate): Promise<void> {
    const { revision, kind } = update
    const diagnostics = await this.#reported(project, update)
    const { sessions, events } = this.#parts
    const view = sessions.view(project)
    if (view.state !== 'live') return
    const before = this.#shown.get(project)?.visible ?? 0
    this.#shown.set(project, { update, diagnostics, visible: kind === 'none' ? before : revision })
    events.publish('session', project, { ...view, revision, kind, errors: diagnostics })
    if (diagnostics.length > 0) events.publish('diagnostic', project, { revision, diagnostics })
  }

  async #reported(project: string, { revision, errors }: DevUpdate): Promise<ReportedDiagnostic[]> {
    if (errors.length === 0) return []
    await using snapshot = await this.#parts.files.snapshot(project)
    const root = this.#parts.projects.get(project)?.settings.root ?? ''
    const found = errors.flatMap((error) => fromToolError(error, { files: snapshot.files, root }))
    const refined = await refine(
      found.map((diagnostic) => ({ ...diagnostic, origin: 'transform' })),
      snapshot,
    )
    const redact = redactor(secretsOf(this.#parts.projects.get(project)?.settings ?? DEFAULT_SETTINGS))
    return refined.map((diagnostic) => ({ ...redactDiagnostic(diagnostic, redact), count: 1, revision }))
  }

  #sessionChanged(project: string): void {
    const { state } = this.#parts.sessions.view(project)
    if (state !== 'live') this.#shown.delete(project)
    if (state === 'off' || state === 'error') {
      this.#logs.get(project)?.flush()
      this.#logs.delete(project)
      this.#listener.onEnd(project)
    }
    this.#listener.onChange(project)
  }
}

function hasSucceeded(data: unknown): boolean {
  return (data as Pick<Build, 'state'>).state === 'succeeded'
}
