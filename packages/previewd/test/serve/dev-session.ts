import { join } from 'node:path'
import type { Painted, SessionAddress, SessionState } from '../../src/model/session.ts'
import type { DevServer, DevUpdate, Worker } from '../../src/model/worker.ts'
import type { GatewayOptions } from '../../src/serve/gateway-options.ts'
import { createViewers, type OpenViewers } from '../../src/serve/viewers.ts'
import { reachableModules } from '../worker/reachable-modules.ts'
import { file, openSandbox, type TestSandbox } from '../worker/sandbox.ts'
import { PreviewServer } from './preview-server.ts'

const MEMORY_BYTES = 1024 * 1024 * 1024

/** The project that has a session. */
export const PROJECT = 'demo'

/** The sandbox and the packages that dev servers of a test file are started with. */
export class DevServers implements AsyncDisposable {
  readonly #sandbox: TestSandbox
  readonly #modules: Awaited<ReturnType<typeof reachableModules>>

  private constructor(sandbox: TestSandbox, modules: Awaited<ReturnType<typeof reachableModules>>) {
    this.#sandbox = sandbox
    this.#modules = modules
  }

  static async open(): Promise<DevServers> {
    return new DevServers(await openSandbox(), await reachableModules('vite'))
  }

  async start(files: Record<string, string>): Promise<{ worker: Worker; dev: DevServer }> {
    const worker = await this.#sandbox.start({
      binds: [{ source: this.#modules.path, target: '/store/node_modules' }],
      limits: { memoryBytes: MEMORY_BYTES, wallMs: 600_000 },
      listen: join(this.#sandbox.folder, 'data/run', `${crypto.randomUUID()}.sock`),
    })
    await worker.put([
      file('package.json', '{"type":"module"}'),
      ...Object.entries(files).map(([path, content]) => file(path, content)),
      { kind: 'link', path: 'node_modules/vite', target: '/store/node_modules/vite' },
    ])
    const lines: string[] = []
    const dev = await worker.serve({ kind: 'vite-dev', root: '', env: {} }, 1, ({ text }) => lines.push(text))
    if ('socket' in dev) return { worker, dev }
    await worker.stop()
    throw new Error(`${JSON.stringify(dev)} ${lines.join('\n')}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sandbox[Symbol.asyncDispose]()
    await this.#modules[Symbol.asyncDispose]()
  }
}

/** A gateway in front of one dev server: the session is `state`, a plain value of the test. */
export class DevSession implements AsyncDisposable {
  readonly viewers: OpenViewers
  readonly preview: PreviewServer
  state: SessionState = 'live'
  revision = 1
  generation = 'one'
  /** False for a session that says it is live and is not. */
  answers = true
  #worker: Worker
  #dev: DevServer

  private constructor(parts: {
    preview: PreviewServer
    viewers: OpenViewers
    worker: Worker
    dev: DevServer
  }) {
    this.preview = parts.preview
    this.viewers = parts.viewers
    this.#worker = parts.worker
    this.#dev = parts.dev
  }

  static async start(
    servers: DevServers,
    files: Record<string, string>,
    overrides: Partial<GatewayOptions> = {},
  ): Promise<DevSession> {
    const { worker, dev } = await servers.start(files)
    const viewers = createViewers()
    const state = { current: undefined as DevSession | undefined }
    const preview = await PreviewServer.start({
      viewers,
      sessions: {
        address: (id) => state.current?.addressOf(id),
        untilLive: async (id) => state.current?.addressOf(id),
        recorded: async () => undefined,
        view: (id) => ({
          state: id === PROJECT ? (state.current?.state ?? 'off') : 'off',
          revision: state.current?.revision ?? 0,
          viewers: viewers.count(id),
          restarts: 0,
        }),
      },
      ...overrides,
    })
    preview.editor = true
    preview.addProject(PROJECT)
    const session = new DevSession({ preview, viewers, worker, dev })
    state.current = session
    return session
  }

  addressOf(project: string): SessionAddress | undefined {
    if (project !== PROJECT || this.state !== 'live' || !this.answers) return undefined
    return { socket: this.#dev.socket, revision: this.revision, generation: this.generation }
  }

  get origin(): string {
    return this.preview.originOf(PROJECT)
  }

  get host(): string {
    return `${PROJECT}.localhost:${this.preview.port}`
  }

  /** Changes files as a batch of the next revision. */
  async edit(files: Record<string, string>): Promise<DevUpdate> {
    const entries = Object.entries(files)
    await this.#worker.put(entries.map(([path, content]) => file(path, content)))
    this.revision++
    const project = this.preview.projects.get(PROJECT)
    if (project) this.preview.projects.set(PROJECT, { ...project, revision: this.revision })
    const changed = entries.map(([path]) => ({ path, kind: 'modified' as const }))
    return { revision: this.revision, ...(await this.#dev.update(this.revision, changed)) }
  }

  /** Begins or ends the session, as open pages are told. */
  set(state: SessionState): void {
    this.state = state
    this.preview.tell(PROJECT)
  }

  /** The dev server is gone, and another one takes its place. */
  async replace(servers: DevServers, files: Record<string, string>): Promise<void> {
    this.set('starting')
    await this.#worker.stop()
    const { worker, dev } = await servers.start(files)
    this.#worker = worker
    this.#dev = dev
    this.set('live')
  }

  /** Resolves when so many pages are open. */
  async viewing(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = (): void => {
      if (this.viewers.count(PROJECT) === count) resolve()
    }
    const stop = this.viewers.listen(look)
    look()
    await promise
    stop()
  }

  /** Resolves when an open page reported this revision with so many errors. */
  async painted(revision: number, errors = 0): Promise<Painted> {
    const { promise, resolve } = Promise.withResolvers<Painted>()
    const look = (): void => {
      const painted = this.viewers.painted(PROJECT)
      if (painted?.revision === revision && painted.errors === errors) resolve(painted)
    }
    const stop = this.viewers.listen(look)
    look()
    const reported = await promise
    stop()
    return reported
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.preview.stop()
    await this.#worker.stop()
  }
}
