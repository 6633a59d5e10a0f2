import { randomBytes } from 'node:crypto'
import { join, posix } from 'node:path'
import { toPlainText } from '../lib/plain-text.ts'
import type { Egress, EgressPolicy } from '../model/egress.ts'
import type { Environment, NodeProgram } from '../model/environment.ts'
import type { ComingRevision, FileEntry, Manifest, Snapshot } from '../model/files.ts'
import type { NodeChoice } from '../model/node-version.ts'
import type { PageRequest } from '../model/session.ts'
import { sourceEntries } from '../model/source-entries.ts'
import {
  CPU_WEIGHTS,
  type DevServer,
  type DevTask,
  type DevUpdate,
  type InputEntry,
  type LogLine,
  type TaskOutcome,
  type Worker,
  WorkerError,
  type WorkerLimits,
  type Workers,
} from '../model/worker.ts'
import { collectBundle, type KeptBundle } from './kept/bundle.ts'
import type { KeptFiles } from './kept/kept-files.ts'
import { manifestDiff } from './manifest-diff.ts'
import { TellingLine } from './telling-line.ts'

export interface DevWorkerParts {
  workers: Workers
  egress: Egress
  /** Folder of the sockets at which dev servers are reached. */
  socketDir: string
  memoryBytes: number
  processes: number
  logBytes: number
  /** Until the dev server listens; one and a half minutes by default. */
  startTimeoutMs?: number
  /** For an edit, until the dev server has answered; a minute by default. */
  updateTimeoutMs?: number
  onLog: (project: string, line: LogLine) => void
}

/** What is served and how; another one needs another worker. */
export interface Serving {
  task: DevTask
  egress: EgressPolicy
  /** The server's own where it is left out. */
  node?: NodeChoice
}

export interface DevWorkerSpec extends Serving {
  environment: Environment | null
  /** For nobody who waits: it gives way to everything else, and no other is made ready for the next. */
  inBackground?: true
  /** Put beside the packages, for the dev server to start from. */
  bundle?: (() => Promise<KeptBundle | undefined>) | undefined
  /** The page that was recorded before; its modules go on to be used where the names of the dependencies are the same. */
  recorded?: { generation: string; token: string; bundle?: string } | undefined
  /** Put besides. */
  entries?: InputEntry[]
  /** The Node that was chosen, where it could be had. */
  program: NodeProgram | undefined
}

const MIB = 1024 * 1024
/** setTimeout knows no longer time; sessions end for other reasons. */
const WALL_MS = 0x7fffffff
const START_TIMEOUT_MS = 90_000
const UPDATE_TIMEOUT_MS = 60_000
const EGRESS_PORT = 3128
const MAX_REASON_LENGTH = 1000
/** Node's own fetch uses a proxy only where it is told to. */
const PROXY_ENV = {
  HTTP_PROXY: `http://127.0.0.1:${EGRESS_PORT}`,
  HTTPS_PROXY: `http://127.0.0.1:${EGRESS_PORT}`,
  NO_PROXY: 'localhost,127.0.0.1,::1',
  NODE_USE_ENV_PROXY: '1',
}

/** The dev server did not come to listen, or is gone; the message is a reason for the project's authors. */
export class DevServerFailed extends Error {}

interface RunningServer {
  server: DevServer
  worker: Worker
  ended: Promise<string>
  generation: string
  token: string
  updateTimeoutMs: number
}

/** One worker with the dev server of one project in it. */
export class DevWorker {
  readonly serving: Serving
  readonly environment: Environment | null
  readonly server: DevServer
  /** Resolves with the reason when the dev server is no more. */
  readonly ended: Promise<string>
  readonly #worker: Worker
  readonly #token: string
  readonly #updateTimeoutMs: number
  readonly #resources: AsyncDisposableStack
  #generation: string
  #revision: number
  #files: Manifest
  /** What it answers is being kept, as made of the files that it has. */
  #isLeaving = false
  /** What edits did that came ahead of their revision. */
  #ahead: DevUpdate['kind'] = 'none'

  constructor(
    { task, egress, node, environment }: DevWorkerSpec,
    snapshot: Snapshot,
    { server, worker, ended, generation, token, updateTimeoutMs }: RunningServer,
    resources: AsyncDisposableStack,
  ) {
    this.serving = { task, egress, ...(node && { node }) }
    this.environment = environment
    this.#generation = generation
    this.#token = token
    this.#updateTimeoutMs = updateTimeoutMs
    this.server = server
    this.ended = ended
    this.#worker = worker
    this.#resources = resources
    this.#revision = snapshot.revision
    this.#files = snapshot.files
  }

  /**
   * Starts a worker with the files of the snapshot, and the dev server in it; resolves when that answers. Rejects with
   * DevServerFailed for what the project's code does.
   */
  static async start(parts: DevWorkerParts, spec: DevWorkerSpec, snapshot: Snapshot, signal: AbortSignal) {
    const resources = new AsyncDisposableStack()
    const late = new AbortController()
    const { startTimeoutMs = START_TIMEOUT_MS } = parts
    const timer = setTimeout(() => late.abort(), startTimeoutMs)
    try {
      return await launch(resources, parts, spec, snapshot, AbortSignal.any([signal, late.signal]))
    } catch (error) {
      await resources.disposeAsync()
      if (late.signal.aborted) {
        throw new DevServerFailed(`The server did not answer within ${startTimeoutMs / 1000} s.`)
      }
      throw error instanceof WorkerError ? new DevServerFailed(error.message) : error
    } finally {
      clearTimeout(timer)
    }
  }

  get revision(): number {
    return this.#revision
  }

  /** See {@link SessionAddress}. */
  get generation(): string {
    return this.#generation
  }

  /** Pages that are open belong to an earlier generation from now on. */
  renew(): void {
    this.#generation = randomBytes(12).toString('base64url')
  }

  /** What has changed since the revision that it has. */
  changesTo({ files }: Snapshot) {
    return manifestDiff(this.#files, files)
  }

  /** Brings the files of a newer revision in and tells the dev server. Rejects with a WorkerError where it is gone. */
  async update(snapshot: Snapshot, options: { reload: boolean }): Promise<DevUpdate> {
    const changed = this.changesTo(snapshot)
    const gone = changed.flatMap(({ path, kind }) => (kind === 'deleted' ? [path] : []))
    const come = changed.flatMap(({ path }) => snapshot.files.get(path) ?? [])
    this.#doubt([...gone.flatMap((path) => this.#files.get(path) ?? []), ...come])
    // Sent one behind the other: nothing is told of files that did not get in.
    const [, , update] = await this.#inTime([
      gone.length > 0 && this.#worker.remove(gone),
      come.length > 0 && this.#worker.put(sourceEntries(snapshot, come)),
      this.server.update(snapshot.revision, changed, options),
    ])
    this.#files = snapshot.files
    this.#revision = snapshot.revision
    const kind = update.kind === 'none' ? this.#ahead : update.kind
    this.#ahead = 'none'
    // A page that was loading meanwhile has modules of both servers, or did not get some of them at all.
    if (kind === 'restart') this.renew()
    return { ...update, revision: snapshot.revision, kind }
  }

  /**
   * Brings in edits that are no revision yet. Open pages show them and are not told a number until `update` comes,
   * which also takes back what became none.
   */
  async goAhead({ changed, files }: ComingRevision): Promise<void> {
    const entries = files.flatMap(({ path, size, content }) =>
      content ? { kind: 'file' as const, path, size, content } : [],
    )
    this.#doubt(files)
    const [, { kind }] = await this.#inTime([this.#worker.put(entries), this.server.update(null, changed)])
    this.#files = replaced(this.#files, files)
    this.#ahead = kind
  }

  /** Half of them may get in or go: until all have, what the worker has at their paths is like no file. */
  #doubt(files: readonly FileEntry[]): void {
    if (this.#isLeaving) throw new WorkerError('ended', 'The session goes to sleep.')
    this.#files = replaced(
      this.#files,
      files.map((file) => ({ ...file, sha256: '' })),
    )
  }

  /** A worker that takes no files or whose plugins never answer is of no use any more. */
  async #inTime<T extends unknown[]>(work: [...T]): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
    const timer = setTimeout(() => void this.#worker.stop(), this.#updateTimeoutMs)
    try {
      return await Promise.all(work)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Whether a worker waited for it. */
  get pool(): 'hit' | 'miss' {
    return this.#worker.waited ? 'hit' : 'miss'
  }

  /** Keeps what would shorten the next start; `settingsKey` and `requests` are of the page that goes with it. */
  async leave(
    kept: KeptFiles,
    project: string,
    page: { settingsKey: string; requests: readonly PageRequest[] },
  ): Promise<void> {
    const { settingsKey, requests } = page
    const { task } = this.serving
    this.#isLeaving = true
    // Other servers have caches of their own, in places of their own.
    if (task.kind !== 'vite-dev' || task.framework) return
    const pageFile = posix.join(posix.relative('/app', task.root), 'index.html')
    await kept.keep(project, {
      worker: this.#worker,
      server: this.server,
      environment: this.environment,
      folder: task.root,
      // Elsewhere the server writes its pages, and may write others the next time.
      requests: this.#files.has(pageFile) ? requests : requests.filter(({ accept }) => accept !== 'page'),
      pageFile,
      page: { settingsKey, generation: this.generation, token: this.#token },
      files: this.#files,
    })
  }

  /** Writes the dependencies that it has bundled to a pack. */
  async collectBundle(path: string): Promise<void> {
    const { task } = this.serving
    if (!this.environment || task.kind !== 'vite-dev') return
    await collectBundle(path, { worker: this.#worker, folder: task.root }, this.environment.key)
  }

  memoryBytes(): Promise<number> {
    return this.#worker.memoryBytes()
  }

  async stop(): Promise<void> {
    await this.#resources.disposeAsync()
  }
}

async function launch(
  resources: AsyncDisposableStack,
  parts: DevWorkerParts,
  spec: DevWorkerSpec,
  snapshot: Snapshot,
  signal: AbortSignal,
): Promise<DevWorker> {
  const { task, environment, egress, program } = spec
  // Also where nothing may be reached: what is refused at once, with a line in the log, is told apart from a failure.
  const opened = await parts.egress.open(egress, ({ host, port, reason }) =>
    parts.onLog(snapshot.project, { stream: 'stderr', text: `previewd refused ${host}:${port}: ${reason}` }),
  )
  const gate = resources.adopt(opened, () => opened.close())
  const worker = resources.use(
    await parts.workers.start({
      limits: workerLimits(parts, snapshot, spec.inBackground ? CPU_WEIGHTS.background : CPU_WEIGHTS.session),
      binds: environment?.binds ?? [],
      ...(program && { node: program.path }),
      role: 'project',
      ...(!spec.inBackground && {
        ahead: { key: environment?.key ?? '', entries: environment?.entries ?? [], root: folderOf(task) },
      }),
      listen: join(parts.socketDir, `${randomBytes(8).toString('hex')}.sock`),
      bridge: { socket: gate.socket, port: EGRESS_PORT },
      signal,
    }),
  )
  await worker.put(sourceEntries(snapshot))
  if (environment && environment.entries.length > 0 && !worker.waited) await worker.put(environment.entries)
  await using bundle = await spec.bundle?.()
  if (bundle) await worker.put(bundle.entries())
  if (spec.entries && spec.entries.length > 0) await worker.put(spec.entries)
  const telling = new TellingLine()
  const env = { ...task.env, ...PROXY_ENV }
  const { recorded } = spec
  const fresh = randomBytes(12).toString('base64url')
  const token = recorded?.token ?? fresh
  const served = task.kind === 'vite-dev' ? { ...task, env, token } : { ...task, env }
  const server = await worker.serve(served, snapshot.revision, (line) => {
    if (line.stream === 'stderr') telling.push(line.text)
    parts.onLog(snapshot.project, line)
  })
  if (!('socket' in server)) throw new DevServerFailed(explain(server, telling.text))
  const ended = server.ended.then((outcome) => explain(outcome, telling.text))
  const generation = recorded && recorded.bundle === server.bundle ? recorded.generation : fresh
  const { updateTimeoutMs = UPDATE_TIMEOUT_MS } = parts
  const running = { server, worker, ended, generation, token, updateTimeoutMs }
  return new DevWorker(spec, snapshot, running, resources.move())
}

function folderOf(task: DevTask): string {
  return task.kind === 'vite-dev' ? task.root : task.cwd
}

function replaced(files: Manifest, entries: readonly FileEntry[]): Manifest {
  const next = new Map(files)
  for (const { path, size, sha256 } of entries) next.set(path, { path, size, sha256 })
  return next
}

function workerLimits(parts: DevWorkerParts, { files }: Snapshot, cpuWeight: number): WorkerLimits {
  let sourceBytes = 0
  for (const { size } of files.values()) sourceBytes += size
  return {
    memoryBytes: parts.memoryBytes,
    processes: parts.processes,
    wallMs: WALL_MS,
    // Of what it may grow to while it is edited; what is used of it counts as memory.
    appBytes: 2 * sourceBytes + 256 * MIB,
    tmpBytes: 256 * MIB,
    cpuWeight,
    logBytes: parts.logBytes,
  }
}

function explain(outcome: TaskOutcome, line: string): string {
  const reason = toPlainText(words(outcome, line))
  return reason.length > MAX_REASON_LENGTH ? `${reason.slice(0, MAX_REASON_LENGTH)}…` : reason
}

function words(outcome: TaskOutcome, line: string): string {
  if (outcome.kind === 'failed') {
    const code = outcome.exitCode === null ? '' : ` with exit code ${outcome.exitCode}`
    const said = outcome.errors[0]?.message ?? line
    return said === '' ? `The server ended${code}.` : `The server ended${code}: ${said}`
  }
  if (outcome.kind === 'out_of_memory') return 'The server needed more memory than it may have.'
  if (outcome.kind === 'violation') return outcome.detail
  return outcome.kind === 'succeeded' ? 'The server ended by itself.' : 'The server was ended.'
}
