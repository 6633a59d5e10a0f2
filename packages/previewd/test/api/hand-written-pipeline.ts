import { randomBytes } from 'node:crypto'
import { PreviewdError } from '../../src/errors.ts'
import { type Build, isFinished } from '../../src/model/build.ts'
import type { Diagnostic } from '../../src/model/diagnostic.ts'
import type { EventBus } from '../../src/model/event.ts'
import type { Pipeline } from '../../src/model/pipeline.ts'
import type { SessionView } from '../../src/model/session.ts'
import type { ProjectStatus } from '../../src/model/status.ts'
import type { LogLine } from '../../src/model/worker.ts'
import type { Store } from '../../src/store/open-store.ts'

/**
 * A small pipeline over the real store, so that the API can be tested without a sandbox: builds end when the test says
 * so. It keeps the promises of the interface and nothing else of the real one.
 */
export interface HandWrittenPipeline extends Pipeline {
  /** Ends the newest build of the project. */
  finish(project: string, state: 'succeeded' | 'failed', diagnostics?: Diagnostic[]): void
  /** Writes a line to the log of the newest build. */
  write(project: string, text: string, stream?: LogLine['stream']): void
  /** What the next call of applyChanges or requestBuild rejects with. */
  failNext(error: Error): void
  /** Whether builds end by themselves, at once. */
  automatic: boolean
  /** What the session of every project is. */
  session: SessionView
  /** What starting one rejects with. */
  sessionRefusal?: Error
}

type Line = LogLine & { at: string }

export function createHandWrittenPipeline(store: Store, events: EventBus): HandWrittenPipeline {
  const logs = new Map<string, Line[]>()
  const waiting = new Set<() => void>()
  let failure: Error | undefined
  const wake = () => {
    for (const check of [...waiting]) check()
  }

  function throwNext() {
    const error = failure
    failure = undefined
    if (error) throw error
  }

  function queue(project: string, revision: number): Build {
    const build: Build = {
      id: randomBytes(6).toString('hex'),
      project,
      revision,
      state: 'queued',
      queuedAt: new Date().toISOString(),
      diagnostics: [],
      timings: {},
    }
    store.builds.insert(build)
    logs.set(build.id, [])
    events.publish('build', project, build)
    if (pipeline.automatic) pipeline.finish(project, 'succeeded')
    return store.builds.get(project, build.id) ?? build
  }

  function until(isDone: () => boolean, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (reached: boolean) => {
        clearTimeout(timer)
        waiting.delete(check)
        signal?.removeEventListener('abort', abort)
        resolve(reached)
      }
      const check = () => isDone() && end(true)
      const abort = () => end(false)
      const timer = setTimeout(() => end(false), timeoutMs)
      waiting.add(check)
      signal?.addEventListener('abort', abort, { once: true })
      check()
    })
  }

  async function* follow(buildId: string, project: string, signal?: AbortSignal): AsyncGenerator<Line> {
    const lines = logs.get(buildId) ?? []
    const ended = () => isFinished(store.builds.get(project, buildId)?.state ?? 'failed')
    for (let next = 0; ; ) {
      for (; next < lines.length; next += 1) yield lines[next] as Line
      if (ended() || signal?.aborted) return
      const seen = next
      await until(() => lines.length > seen || ended(), 600_000, signal)
    }
  }

  const pipeline: HandWrittenPipeline = {
    automatic: false,
    session: { state: 'off', viewers: 0, restarts: 0 },
    failNext(error) {
      failure = error
    },
    write(project, text, stream = 'stdout') {
      const build = store.builds.newest(project)
      logs.get(build?.id ?? '')?.push({ at: new Date().toISOString(), stream, text })
      wake()
    },
    finish(project, state, diagnostics = []) {
      const build = store.builds.newest(project)
      if (!build) throw new Error('There is no build to finish')
      const finished = { ...build, state, diagnostics, finishedAt: new Date().toISOString(), durationMs: 5 }
      store.builds.update(finished)
      if (state === 'succeeded')
        store.projects.setPublished(project, { buildId: build.id, revision: build.revision })
      events.publish('build', project, finished)
      wake()
    },
    putProject: (id, settings) => store.projects.put(id, settings),
    async deleteProject(id) {
      await store.projects.delete(id)
    },
    async applyChanges(id, batch) {
      throwNext()
      const applied = await store.files.apply(id, batch)
      if (applied.changed.length > 0) {
        events.publish('revision', id, applied)
        queue(id, applied.revision)
      }
      return applied
    },
    sync: () => Promise.reject(new PreviewdError('SOURCE_NOT_SUPPORTED', 'Nothing is fetched here.')),
    async requestBuild(id, { force }) {
      throwNext()
      const newest = store.builds.newest(id)
      const revision = store.projects.get(id)?.revision ?? 0
      if (newest?.revision === revision && !isFinished(newest.state) && !force) return newest
      return queue(id, revision)
    },
    async cancelBuild(id, buildId) {
      const build = store.builds.get(id, buildId)
      if (!build) throw new PreviewdError('BUILD_NOT_FOUND', 'no build')
      const canceled: Build = { ...build, state: 'canceled' }
      store.builds.update(canceled)
      wake()
      return canceled
    },
    async publish(id, buildId) {
      const build = store.builds.get(id, buildId)
      if (build?.state !== 'succeeded')
        throw new PreviewdError('BUILD_NOT_PUBLISHABLE', 'It did not succeed.')
      store.projects.setPublished(id, { buildId, revision: build.revision })
    },
    status: (id) => ({ ...statusOf(store, id), session: pipeline.session }),
    async startSession(id) {
      if (pipeline.sessionRefusal) throw pipeline.sessionRefusal
      if (!store.projects.get(id)) throw new PreviewdError('PROJECT_NOT_FOUND', `There is no project ${id}.`)
      if (pipeline.session.state === 'off') pipeline.session = { ...pipeline.session, state: 'starting' }
      return pipeline.session
    },
    async stopSession() {
      throwNext()
      if (pipeline.session.state === 'off') throw new PreviewdError('SESSION_NOT_FOUND', 'no session')
      pipeline.session = { ...pipeline.session, state: 'off' }
    },
    sessionCounts: () => ({ starting: 0, live: 0, error: 0 }),
    waitFor(id, revision, _point, timeoutMs, signal) {
      const isDone = () => {
        const newest = store.builds.newest(id)
        return newest !== undefined && newest.revision >= revision && isFinished(newest.state)
      }
      return until(isDone, timeoutMs, signal)
    },
    async log(id, options) {
      const buildId = options.buildId ?? store.builds.newest(id)?.id
      if (buildId === undefined) throw new PreviewdError('BUILD_NOT_FOUND', 'no build')
      if (options.follow) return { buildId, lines: follow(buildId, id, options.signal) }
      const lines = [...(logs.get(buildId) ?? [])]
      return {
        buildId,
        lines: (async function* () {
          yield* lines
        })(),
      }
    },
    resume: async () => undefined,
    drain: async () => undefined,
  }
  return pipeline
}

function statusOf(store: Store, id: string): ProjectStatus {
  const project = store.projects.get(id)
  if (!project) throw new PreviewdError('PROJECT_NOT_FOUND', `There is no project ${id}.`)
  const newest = store.builds.newest(id)
  const { diagnostics = [], timings = {}, project: _project, ...build } = newest ?? ({} as Partial<Build>)
  const states = {
    queued: 'queued',
    installing: 'installing',
    building: 'building',
    succeeded: 'ready',
  } as const
  const state = newest && newest.state in states ? states[newest.state as keyof typeof states] : 'error'
  return {
    project: id,
    revision: project.revision,
    state: newest ? state : 'empty',
    build: newest ? (build as ProjectStatus['build']) : null,
    published: project.published ?? null,
    session: { state: 'off', viewers: 0, restarts: 0 },
    painted: null,
    urls: { preview: `http://${id}.localhost:4400/`, path: `http://127.0.0.1:4400/preview/${id}/` },
    diagnostics: diagnostics.map((item) => ({ ...item, count: 1, revision: project.revision })),
    timings,
  }
}
