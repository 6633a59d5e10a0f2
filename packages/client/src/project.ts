import { type AppliedChanges, type ApplyOptions, bodyOf, type ChangeSet } from './changes.ts'
import { PreviewdError, PreviewdFailedError } from './errors.ts'
import { type EventOptions, type ProjectHappening, projectEvents, until } from './events.ts'
import { LiveSession } from './live-session.ts'
import type { CallOptions } from './options.ts'
import { allPages } from './pages.ts'
import { ProjectBuild } from './project-build.ts'
import { ProjectFiles } from './project-files.ts'
import type {
  Build,
  BuildAnswer,
  ChangesAnswer,
  Diagnostics,
  Grant,
  ProjectSettings,
  ProjectWithStatus,
  Session,
  Status,
  Sync,
} from './protocol.ts'
import { StreamTracker, type TrackerOptions } from './stream-tracker.ts'
import type { Transport } from './transport.ts'
import { type WaitOptions, waitOf } from './wait.ts'

export interface PreviewUrlOptions extends CallOptions {
  /** `editor` sees the live session, `viewer` a private preview. Without it: the plain address of the preview. */
  role?: 'editor' | 'viewer'
  /** How long the link may be opened; an hour unless given. */
  expiresInSeconds?: number
}

/** One project of a server. Holds nothing but its id: two of the same id are the same. */
export class Project {
  readonly id: string
  readonly files: ProjectFiles
  readonly #transport: Transport

  constructor(transport: Transport, id: string) {
    this.#transport = transport
    this.id = id
    this.files = new ProjectFiles(transport, id)
  }

  /** Settings and status. Throws PROJECT_NOT_FOUND. */
  info(options: CallOptions = {}): Promise<ProjectWithStatus> {
    return this.#get('', options)
  }

  status(options: CallOptions = {}): Promise<Status> {
    return this.#get('/status', options)
  }

  /** Changes settings, and creates the project where it does not exist; what is not given stays. */
  async update(settings: ProjectSettings, options: CallOptions = {}): Promise<ProjectWithStatus> {
    const request = { ...options, method: 'PUT', body: settings } as const
    return (await this.#transport.json<ProjectWithStatus>(this.#path(''), request)).body
  }

  /** Files, builds, previews and links. Throws PROJECT_NOT_FOUND. */
  async delete(options: CallOptions = {}): Promise<void> {
    await this.#transport.json(this.#path(''), { ...options, method: 'DELETE' })
  }

  /** Applies one batch: all of it or nothing. Creates the project where it does not exist. */
  async applyChanges(changes: ChangeSet, options: ApplyOptions = {}): Promise<AppliedChanges> {
    const wait = waitOf(options)
    const { status, body } = await this.#transport.json<ChangesAnswer>(this.#path('/changes'), {
      ...wait,
      query: { ...wait.query, replace: changes.replace ? 1 : undefined },
      method: 'POST',
      ...bodyOf(changes),
      ...(options.idempotencyKey && { headers: { 'idempotency-key': options.idempotencyKey } }),
    })
    return { ...body, timedOut: status === 202 }
  }

  /** Pulls from the project's source: the named files, or without a list everything that differs. */
  async sync(changes: Sync = {}, options: WaitOptions = {}): Promise<AppliedChanges> {
    const request = { ...waitOf(options), method: 'POST', body: changes } as const
    const { status, body } = await this.#transport.json<ChangesAnswer>(this.#path('/sync'), request)
    return { ...body, timedOut: status === 202 }
  }

  /** Builds the current revision, or joins its build; `force` builds anew. */
  async build({ force, ...options }: WaitOptions & { force?: boolean } = {}): Promise<ProjectBuild> {
    const request = { ...waitOf(options), method: 'POST', body: force ? { force } : {} } as const
    const { body } = await this.#transport.json<BuildAnswer>(this.#path('/builds'), request)
    return new ProjectBuild(this.#transport, this.id, body)
  }

  /** Builds, newest first; reads on as they are taken. */
  async *builds(options: CallOptions = {}): AsyncGenerator<ProjectBuild, void, undefined> {
    for await (const info of allPages<Build>(this.#transport, this.#path('/builds'), options)) {
      yield new ProjectBuild(this.#transport, this.id, info)
    }
  }

  /** Throws BUILD_NOT_FOUND. */
  async getBuild(buildId: string, options: CallOptions = {}): Promise<ProjectBuild> {
    const info = await this.#get<Build>(`/builds/${encodeURIComponent(buildId)}`, options)
    return new ProjectBuild(this.#transport, this.id, info)
  }

  /** Makes an earlier good build the one that viewers see. */
  async publish(buildId: string, options: CallOptions = {}): Promise<Status> {
    const path = this.#path(`/builds/${encodeURIComponent(buildId)}/publish`)
    return (await this.#transport.json<Status>(path, { ...options, method: 'POST' })).body
  }

  /** What the toolchain wrote in the newest build, or in one, as text. */
  logs({ build, ...options }: CallOptions & { build?: string } = {}): Promise<string> {
    return this.#transport.text(this.#path('/logs'), { ...options, query: { build } })
  }

  /** What is wrong now, root cause first; with `format: 'prompt'` as text for a model. */
  diagnostics(options?: CallOptions & { format?: 'json' }): Promise<Diagnostics>
  diagnostics(options: CallOptions & { format: 'prompt'; maxChars?: number }): Promise<string>
  diagnostics({
    format,
    maxChars,
    ...options
  }: CallOptions & { format?: 'json' | 'prompt'; maxChars?: number } = {}): Promise<Diagnostics | string> {
    if (format !== 'prompt') return this.#get('/diagnostics', options)
    return this.#transport.text(this.#path('/diagnostics'), { ...options, query: { format, maxChars } })
  }

  /** Starts the project's dev server, or keeps it alive. It may still be starting: `waitUntilLive` waits. */
  async startSession(options: CallOptions = {}): Promise<LiveSession> {
    const { body } = await this.#transport.json<Session>(this.#path('/session'), {
      ...options,
      method: 'PUT',
    })
    return new LiveSession(this, body)
  }

  /** Nothing need be running. Throws PROJECT_NOT_FOUND. */
  async stopSession(options: CallOptions = {}): Promise<void> {
    try {
      await this.#transport.json(this.#path('/session'), { ...options, method: 'DELETE' })
    } catch (error) {
      if (!(error instanceof PreviewdError) || error.code !== 'SESSION_NOT_FOUND') throw error
    }
  }

  session(options: CallOptions = {}): Promise<Session> {
    return this.#get('/session', options)
  }

  /**
   * Resolves when the newest revision is built and published. Throws BUILD_FAILED, with the diagnostics, where it cannot
   * be built, and TIMEOUT (after two minutes unless given).
   */
  waitUntilReady(options: CallOptions = {}): Promise<Status> {
    const wait = { ...options, types: ['status'], what: 'ready' } as const
    return until(this.#transport, this.id, wait, ({ type, data }) => {
      if (type !== 'status') return undefined
      if (data.state === 'error') throw new PreviewdFailedError('BUILD_FAILED', failure(data), data)
      return data.state === 'ready' ? data : undefined
    })
  }

  /** Resolves when the session that was started is live. Throws SESSION_FAILED with its reason, and TIMEOUT. */
  waitUntilLive(options: CallOptions = {}): Promise<Session> {
    const wait = { ...options, types: ['session'], what: 'live' } as const
    return until(this.#transport, this.id, wait, async ({ type, data }) => {
      const session = type === 'session' ? data : type === 'status' ? data.session : undefined
      if (session?.state !== 'error' && session?.state !== 'off') {
        return session?.state === 'live' ? this.session(options) : undefined
      }
      const detail = `The session of ${this.id} is ${session.state}: ${session.reason ?? 'it was not started'}.`
      throw new PreviewdFailedError('SESSION_FAILED', detail, await this.status(options))
    })
  }

  /** What happens, from now on and across reconnections; begins with the status. Leave the loop, or abort, to end it. */
  events(options: EventOptions = {}): AsyncGenerator<ProjectHappening, void, undefined> {
    return projectEvents(this.#transport, this.id, options)
  }

  /** Where a browser sees the project; with a role, a link that carries the right to. */
  async getPreviewUrl({ role, expiresInSeconds, ...options }: PreviewUrlOptions = {}): Promise<string> {
    if (role === undefined) return (await this.status(options)).urls.preview
    const body = { role, ...(expiresInSeconds !== undefined && { expiresInSeconds }) }
    const request = { ...options, method: 'POST', body } as const
    return (await this.#transport.json<Grant>(this.#path('/grants'), request)).body.url
  }

  /** No link that was given out works any more. */
  async revokePreviewUrls(options: CallOptions = {}): Promise<void> {
    await this.#transport.json(this.#path('/grants'), { ...options, method: 'DELETE' })
  }

  /** Sends the files that a model writes on their way while it writes. */
  trackStream(options: TrackerOptions = {}): StreamTracker {
    return new StreamTracker(this, options)
  }

  async #get<T>(path: string, options: CallOptions): Promise<T> {
    return (await this.#transport.json<T>(this.#path(path), options)).body
  }

  #path(rest: string): string {
    return `v1/projects/${this.id}${rest}`
  }
}

function failure({ project, diagnostics }: Status): string {
  const [first] = diagnostics.filter(({ severity }) => severity === 'error')
  const place = first?.file ? ` (${first.file}${first.line ? `:${first.line}` : ''})` : ''
  return first ? `${project} was not built: ${first.message}${place}` : `${project} was not built.`
}
