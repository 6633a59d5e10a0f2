import { isDeepStrictEqual } from 'node:util'
import { PreviewdError } from '../errors.ts'
import type { Build } from '../model/build.ts'
import { isFinished } from '../model/build.ts'
import type { AppliedChanges, ChangeBatch } from '../model/files.ts'
import type { BuildLog, Pipeline, SyncRequest, WaitPoint } from '../model/pipeline.ts'
import type { Project, ProjectSettings } from '../model/project.ts'
import type { SessionView } from '../model/session.ts'
import type { ProjectStatus } from '../model/status.ts'
import type { LogLine } from '../model/worker.ts'
import { Afterwork } from './afterwork.ts'
import { Announcer } from './announce.ts'
import { Followers } from './followers.ts'
import { LiveChanges } from './live-changes.ts'
import { buildsOtherwise, newBuild, requeued } from './new-build.ts'
import type { PipelineParts } from './parts.ts'
import { publishBuild } from './publish.ts'
import { QuietTimers } from './quiet-timers.ts'
import { isReached, type Progress } from './reached.ts'
import { recover } from './recover.ts'
import { type BuildTicket, runTicket, SHUTDOWN } from './run.ts'
import { Scheduler } from './scheduler.ts'
import { Syncs } from './syncs.ts'
import { Variants } from './variant.ts'
import { Watchers } from './watchers.ts'

const CANCEL_TIMEOUT_MS = 10_000
const MAX_QUEUED_MS = 3_600_000
const MAX_CHANGES_TOLD = 1000

/** Joins the stages; see {@link Pipeline} for what it offers. Call `resume` once before anything else. */
export function createPipeline(parts: PipelineParts): BuildPipeline {
  return new BuildPipeline(parts)
}

export class BuildPipeline implements Pipeline {
  readonly #parts: PipelineParts
  readonly #watchers = new Watchers()
  readonly #scheduler: Scheduler<BuildTicket>
  readonly #announcer: Announcer
  readonly #afterwork: Afterwork
  readonly #checking = new Set<string>()
  readonly #removing = new Set<string>()
  /** What builds make besides their own artifacts. */
  readonly variants: Variants
  readonly #live: LiveChanges
  readonly #syncs: Syncs
  readonly #followers: Followers
  readonly #quiet = new QuietTimers()
  readonly #progress: Progress
  readonly #deleting = new Map<string, Promise<void>>()
  #draining = false
  #resumed = false

  constructor(parts: PipelineParts) {
    this.#parts = parts
    this.#afterwork = new Afterwork(parts.onError)
    this.#syncs = new Syncs(parts, (id, batch, startedMs) => this.#apply(id, batch, startedMs))
    this.#followers = new Followers(parts, (id, request) => this.sync(id, request))
    this.#live = new LiveChanges(parts, {
      onChange: (project) => this.#announcer.statusChanged(project),
      // Without a session that shows them, files do not wait for a pause of the edits to be built.
      onEnd: (project) => this.#quiet.fire(project),
    })
    this.#announcer = new Announcer(parts, this.#watchers, {
      activeBuild: (project) => this.#activeBuild(project),
      transforms: (project) => this.#live.diagnostics(project),
    })
    this.#progress = {
      ...parts,
      live: this.#live,
      checking: this.#checking,
      newestFinished: (project) => this.#announcer.newestFinished(project),
      activeBuild: (project) => this.#activeBuild(project),
    }
    this.variants = new Variants(parts, {
      isChecking: (buildId) => this.#checking.has(buildId),
      isBuilding: (project) => this.#activeBuild(project) !== undefined,
      rebuild: (project) => this.requestBuild(project, { force: true }),
    })
    this.#scheduler = new Scheduler({
      concurrency: parts.config.build.concurrency,
      queueLimit: parts.config.build.queue,
      run: (ticket, signal) => runTicket(this.#runParts(), ticket, signal),
    })
  }

  putProject(id: string, settings: Partial<ProjectSettings>): { project: Project; created: boolean } {
    this.#refuseWhileDraining()
    const before = this.#parts.projects.get(id)
    const put = this.#parts.projects.put(id, settings)
    if (before && before.revision > 0 && buildsOtherwise(before.settings, put.project.settings)) {
      this.#enqueue(put.project, { fresh: true })
    }
    if (before) this.#live.changeSettings(id, before.settings, put.project.settings)
    if (before && !isDeepStrictEqual(before.settings.source, put.project.settings.source)) {
      void this.#followers.stop(id)
    }
    if (isFetchedAtOnce(put.project, before)) {
      this.sync(id, {}).catch((error: unknown) => this.#followers.tell(id, error))
    }
    this.#announcer.statusChanged(id)
    return put
  }

  async deleteProject(id: string): Promise<void> {
    this.#requireProject(id)
    const deletion = this.#deleting.get(id) ?? this.#delete(id)
    this.#deleting.set(id, deletion)
    try {
      await deletion
    } finally {
      this.#deleting.delete(id)
    }
  }

  async applyChanges(
    id: string,
    batch: ChangeBatch,
    { startsSession = false } = {},
  ): Promise<AppliedChanges> {
    const startedMs = performance.now()
    return this.#syncs.push(id, () => this.#apply(id, batch, startedMs, startsSession))
  }

  async sync(id: string, request: SyncRequest): Promise<AppliedChanges> {
    this.#refuseWhileDraining()
    this.#requireProject(id)
    await this.#deleting.get(id)
    const applied = await this.#syncs.sync(id, request)
    const project = this.#parts.projects.get(id)
    if (project && !this.#draining) this.#followers.follow(project)
    return applied
  }

  async #apply(
    id: string,
    batch: ChangeBatch,
    startedMs: number,
    startsSession = false,
  ): Promise<AppliedChanges> {
    this.#refuseWhileDraining()
    await this.#deleting.get(id)
    // Before anything is applied: a batch that is refused must not have changed the files.
    this.#scheduler.checkRoom(id)
    const applied = await this.#live.apply(id, batch)
    const project = this.#parts.projects.get(id)
    if (applied.changed.length === 0 && !project) this.putProject(id, {})
    if (applied.changed.length === 0 || !project) return applied
    const syncMs = Math.round(performance.now() - startedMs)
    const data = {
      revision: applied.revision,
      changed: applied.changed.slice(0, MAX_CHANGES_TOLD),
      total: applied.changed.length,
    }
    this.#parts.events.publish('revision', id, data)
    // Where a session shows each edit, a build of each would only take its time.
    if (startsSession || this.#live.isOn(id)) this.#buildWhenQuiet(id, syncMs)
    else this.#enqueue(project, { revision: applied.revision, syncMs })
    this.#announcer.statusChanged(id)
    void this.#live.bringIn(id)
    return applied
  }

  async requestBuild(id: string, { force = false }: { force?: boolean }): Promise<Build> {
    this.#refuseWhileDraining()
    await this.#deleting.get(id)
    const project = this.#requireProject(id)
    const last = this.#announcer.newestFinished(id)
    const isBuilt = last?.state === 'succeeded' && last.revision >= project.revision
    if (!force && isBuilt && !this.#scheduler.waiting(id)) return last
    this.#scheduler.checkRoom(id)
    this.#quiet.clear(id)
    const ticket = this.#enqueue(project, {})
    this.#announcer.statusChanged(id)
    return { ...ticket.build }
  }

  async cancelBuild(id: string, buildId: string): Promise<Build> {
    this.#requireProject(id)
    const waiting = this.#scheduler.cancel(id, buildId)
    if (waiting) this.#cancelWaiting(waiting)
    if (this.#scheduler.running(id)?.buildId === buildId) {
      await this.#watchers.until(
        id,
        () => isFinished(this.#requireBuild(id, buildId).state),
        CANCEL_TIMEOUT_MS,
      )
    }
    return this.#requireBuild(id, buildId)
  }

  async publish(id: string, buildId: string): Promise<void> {
    this.#requireProject(id)
    await publishBuild({ ...this.#parts, removing: this.#removing }, id, buildId)
    this.#announcer.statusChanged(id)
  }

  status(id: string): ProjectStatus {
    const status = this.#announcer.status(id)
    if (!status) throw projectNotFound(id)
    return status
  }

  async startSession(id: string): Promise<SessionView> {
    this.#refuseWhileDraining()
    this.#requireProject(id)
    const { usable, problems } = await this.#parts.workers.status()
    if (!usable) {
      throw new PreviewdError('SANDBOX_UNAVAILABLE', `The sandbox is not whole. ${problems.join(' ')}`)
    }
    await this.#deleting.get(id)
    this.#requireProject(id)
    return this.#parts.sessions.ensure(id)
  }

  async stopSession(id: string): Promise<void> {
    this.#requireProject(id)
    const { state } = this.#parts.sessions.view(id)
    // Also one that is off for want of something to serve, and would come back.
    await this.#parts.sessions.stop(id, 'It was stopped.')
    if (state === 'off') throw new PreviewdError('SESSION_NOT_FOUND', 'The project has no live session.')
  }

  /** What a session's dev server, or the server of a build, writes goes here; it is told as events and kept nowhere. */
  sessionLog(id: string, line: LogLine, of: 'session' | 'server' = 'session'): void {
    this.#live.log(id, line, of)
  }

  sessionCounts() {
    return this.#parts.sessions.counts()
  }

  /** See {@link isReached} for what each point is. */
  async waitFor(
    id: string,
    revision: number,
    point: WaitPoint,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<boolean> {
    if (point === 'built' || point === 'checked') this.#quiet.fire(id)
    const asked = { revision, point }
    const reached = () => isReached(this.#progress, this.#requireProject(id), asked)
    return this.#watchers.until(id, reached, timeoutMs, signal)
  }

  async log(
    id: string,
    options: { buildId?: string; follow?: boolean; signal?: AbortSignal },
  ): Promise<BuildLog> {
    this.#requireProject(id)
    const build =
      options.buildId === undefined
        ? (this.#scheduler.running(id)?.build ?? this.#parts.builds.newest(id))
        : this.#requireBuild(id, options.buildId)
    if (!build) throw new PreviewdError('BUILD_NOT_FOUND', 'The project has no such build.')
    return { buildId: build.id, lines: this.#lines(id, build.id, options) }
  }

  async *#lines(id: string, buildId: string, options: { follow?: boolean; signal?: AbortSignal }) {
    // Who follows a build that waits for its turn wants to hear what it will say.
    const isQueued = () => this.#parts.builds.get(id, buildId)?.state === 'queued'
    if (options.follow) await this.#watchers.until(id, () => !isQueued(), MAX_QUEUED_MS, options.signal)
    yield* this.#parts.logs.read(id, buildId, options)
  }

  async resume(): Promise<void> {
    // A second time would take the builds that run now for left ones.
    if (this.#resumed) return
    this.#resumed = true
    await recover(this.#parts, (project, build) => {
      this.#enqueue(project, build ? { build } : {})
    })
    this.#syncs.resume()
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true
    // What is not built yet is found at the next start.
    this.#quiet.close()
    const ended = this.#scheduler.pause()
    const timeOver = Promise.withResolvers<void>()
    const timer = setTimeout(timeOver.resolve, timeoutMs)
    await Promise.race([ended, timeOver.promise])
    clearTimeout(timer)
    await this.#scheduler.pause(SHUTDOWN)
    this.#live.close()
    await this.#followers.close()
    await this.#syncs.close()
    await this.#afterwork.close()
  }

  #runParts() {
    return {
      parts: this.#parts,
      announcer: this.#announcer,
      afterwork: this.#afterwork,
      checking: this.#checking,
      removing: this.#removing,
      onRevision: (ticket: BuildTicket, revision: number) => {
        const joined = this.#scheduler.covers(ticket, revision)
        if (joined) this.#cancelWaiting(joined)
      },
    }
  }

  #enqueue(
    project: Project,
    { revision = project.revision, fresh = false, syncMs, build }: EnqueueOptions,
  ): BuildTicket {
    const create = () => {
      const record = build ? requeued(build, revision) : newBuild(project.id, revision, syncMs)
      if (build) this.#parts.builds.update(record)
      else this.#parts.builds.insert(record)
      this.#announcer.queued(record)
      return { project: project.id, buildId: record.id, revision, build: record }
    }
    const ticket = this.#scheduler.request(project.id, revision, create, fresh)
    if (ticket.build.state === 'queued' && ticket.build.revision < ticket.revision) {
      ticket.build.revision = ticket.revision
      this.#parts.builds.update(ticket.build)
    }
    return ticket
  }

  #cancelWaiting({ build }: BuildTicket): void {
    build.state = 'canceled'
    build.finishedAt = new Date().toISOString()
    this.#announcer.changed(build)
  }

  #activeBuild(project: string): Build | undefined {
    const running = this.#scheduler.running(project)?.build
    if (running && !isFinished(running.state)) return running
    return this.#scheduler.waiting(project)?.build
  }

  #buildWhenQuiet(id: string, syncMs: number): void {
    this.#quiet.after(id, this.#parts.config.build.quietMs, () => {
      const project = this.#parts.projects.get(id)
      if (!project || this.#draining) return
      this.#enqueue(project, { syncMs })
      this.#announcer.statusChanged(id)
    })
  }

  async #delete(id: string): Promise<void> {
    this.#quiet.clear(id)
    // Before anything is waited for: a sync that applies its files from now on would wait for this deletion.
    await this.#syncs.clear(id)
    await this.#followers.stop(id)
    await this.#parts.sessions.stop(id, 'The project was deleted.', { keep: false })
    await this.#parts.appServers?.stop(id)
    await this.#scheduler.clear(id)
    await this.#afterwork.clear(id)
    await this.#parts.projects.delete(id)
    this.#parts.viewers?.forget(id)
    this.#watchers.notify(id)
  }

  #requireProject(id: string): Project {
    const project = this.#parts.projects.get(id)
    if (!project) throw projectNotFound(id)
    return project
  }

  #requireBuild(id: string, buildId: string): Build {
    const build = this.#parts.builds.get(id, buildId)
    if (!build) throw new PreviewdError('BUILD_NOT_FOUND', 'The project has no such build.')
    return build
  }

  #refuseWhileDraining(): void {
    if (this.#draining) throw new PreviewdError('SHUTTING_DOWN', 'The server is ending; try again.')
  }
}

/** Object stores tell of their files by a call; a repository or a folder is there as soon as it is named. */
function isFetchedAtOnce({ settings: { source } }: Project, before: Project | undefined): boolean {
  const isComplete = source.kind === 'git' || source.kind === 'local'
  return isComplete && !isDeepStrictEqual(source, before?.settings.source)
}

interface EnqueueOptions {
  revision?: number
  /** Not satisfied with a build that runs already. */
  fresh?: boolean
  syncMs?: number
  /** A build that was queued before. */
  build?: Build
}

function projectNotFound(id: string): PreviewdError {
  return new PreviewdError('PROJECT_NOT_FOUND', `There is no project ${id}.`)
}
