import http from 'node:http'
import { createServer, Socket } from 'node:net'
import { join, relative } from 'node:path'
import type { FileChange } from '../model/files.ts'
import type { ModuleOfPage, ToolError } from '../model/worker.ts'
import { type BatchResult, type FileEvent, HotBatches, type SessionServers } from './entry-dev-batch.ts'
import { loadFramework, startServers } from './entry-dev-frameworks.ts'
import { bundleOf, freshen } from './entry-dev-fresh.ts'
import { modulesOfPages } from './entry-dev-graph.ts'
import { tidyAtRest } from './entry-dev-rest.ts'
import { loadTailwindAnew } from './entry-dev-tailwind.ts'
import type { ViteDevServer } from './entry-dev-vite.ts'
import { observeWrites } from './entry-dev-writes.ts'
import { toToolErrors } from './entry-errors.ts'
import { type RehearsalAnswer, type RehearsalRequest, rehearse } from './entry-rehearsal.ts'
import { playServer } from './entry-rehearsal-server.ts'
import { DEV_LISTENING_FD, encodeFrame, FRAME_MESSAGE, FrameReader } from './protocol.ts'

export type DevRequest =
  | {
      type: 'start'
      cwd: string
      port: number
      mode?: string
      env: Record<string, string>
      revision: number
      framework?: 'astro' | 'nuxt'
      token?: string
    }
  /** Paths are relative to /app. */
  | { type: 'update'; id: number; revision: number | null; changed: FileChange[]; reload: boolean }
  | { type: 'freshen'; id: number }
  | { type: 'modules'; id: number }

export type DevAnswer =
  /** Where it does not accept at the host's socket, somebody has to join that to its port. */
  | { type: 'listening'; accepts: boolean; bundle?: string }
  /** The dependencies are another bundle now; pages are about to load anew. */
  | { type: 'rebundled'; bundle: string }
  | { type: 'freshened'; id: number; bundle?: string }
  | { type: 'modules'; id: number; modules?: ModuleOfPage[] }
  | { type: 'failed'; errors: ToolError[] }
  | ({ type: 'updated'; id: number } & BatchResult)

const WIRE_FD = 3
const APP = '/app'
const KINDS = { added: 'add', modified: 'change', deleted: 'unlink' } as const
/** Written by tools for themselves; nothing that a page would load, but for the content that Astro collected. */
const UNWATCHED = /(?:^|\/)(?:node_modules|dist|build|\.(?!astro\/data-store\.json$)[^/]+)(?:\/|$)/
/** Writes of a plugin that belong together arrive within this time. */
const SETTLE_MS = 20

/** A Node of its own that runs the project's Vite as a dev server, and is told over descriptor 3 what changed. */
class DevHost {
  readonly #wire = new Socket({ fd: WIRE_FD, readable: true, writable: true })
  #servers: SessionServers | undefined
  #batches: HotBatches | undefined
  #bundle: string | undefined
  #revision = 0
  #isPrepared = false
  /** One batch after the other. */
  #queue: Promise<unknown> = Promise.resolve()
  #generated = new Map<string, FileEvent>()
  readonly #written = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  listen(): void {
    const reader = new FrameReader()
    this.#wire.on('error', () => process.exit(1))
    this.#wire.on('close', () => process.exit(0))
    this.#wire.on('data', (bytes: Buffer) => {
      for (const frame of reader.read(bytes)) {
        this.#receive(JSON.parse(frame.body.toString('utf8')) as DevRequest | RehearsalRequest)
      }
    })
  }

  #receive(request: DevRequest | RehearsalRequest): void {
    const turn = this.#queue.then(() => this.#serve(request))
    this.#queue = turn.catch((thrown: unknown) => {
      process.stderr.write(`${thrown instanceof Error ? thrown.stack : String(thrown)}\n`)
      this.#answer({ type: 'failed', errors: toToolErrors(thrown) })
    })
  }

  async #serve(request: DevRequest | RehearsalRequest): Promise<void> {
    if (request.type === 'rehearse') this.#answer(await this.#rehearse(request.cwd))
    else if (request.type === 'start') await this.#start(request)
    else if (request.type === 'update') await this.#update(request)
    else if (request.type === 'freshen') await this.#freshen(request.id)
    else this.#tellModules(request.id)
  }

  async #start({ env, revision, framework, ...place }: DevRequest & { type: 'start' }): Promise<void> {
    process.chdir(place.cwd)
    Object.assign(process.env, env)
    // Node reads them where it starts, and this one started before it knew them.
    if (env.NODE_USE_ENV_PROXY === '1') (http as Partial<typeof http>).setGlobalProxyFromEnv?.()
    this.#prepare()
    const servers = await startServers(framework, place, (server) => this.#tellBundle(server))
    const accepts = servers.main.httpServer !== null
    if (accepts) await acceptAt(DEV_LISTENING_FD, servers)
    this.#servers = servers
    this.#batches = new HotBatches(servers)
    this.#revision = revision
    const { bundle } = servers
    this.#bundle = bundle
    this.#answer({ type: 'listening', accepts, ...(bundle !== undefined && { bundle }) })
  }

  async #rehearse(cwd: string): Promise<RehearsalAnswer> {
    this.#prepare()
    return await rehearse(cwd, 'development', playServer, loadFramework)
  }

  /** Once, before any plugin is imported. */
  #prepare(): void {
    if (this.#isPrepared) return
    this.#isPrepared = true
    loadTailwindAnew()
    observeWrites(
      (file) => file.startsWith(`${APP}/`) && !UNWATCHED.test(relative(APP, file)),
      (event) => this.#remember(event),
    )
  }

  /** Vite bundles anew when a page asks for a dependency that it did not know. */
  #tellBundle(server: ViteDevServer): void {
    const bundle = bundleOf(server)
    if (!this.#servers || bundle === undefined || bundle === this.#bundle) return
    this.#bundle = bundle
    this.#answer({ type: 'rebundled', bundle })
  }

  async #freshen(id: number): Promise<void> {
    const bundle = this.#servers && (await freshen(this.#servers.main))
    this.#answer({ type: 'freshened', id, ...(bundle === undefined ? {} : { bundle }) })
  }

  #tellModules(id: number): void {
    const modules = this.#servers && modulesOfPages(this.#servers.main, this.#written)
    this.#answer({ type: 'modules', id, ...(modules && { modules }) })
  }

  async #update({ id, revision, changed, reload }: DevRequest & { type: 'update' }): Promise<void> {
    const events = changed.map(({ path, kind }) => ({ file: join(APP, path), kind: KINDS[kind] }))
    if (revision !== null) this.#revision = revision
    const result = await this.#apply(revision, events, reload)
    this.#answer({ type: 'updated', id, ...result })
  }

  async #apply(revision: number | null, events: readonly FileEvent[], reload = false): Promise<BatchResult> {
    if (!this.#batches) return { kind: 'none', errors: [] }
    return await this.#batches.apply(revision, events, reload)
  }

  /** What plugins write follows as a batch of its own, under the revision that caused it. */
  #remember(event: FileEvent): void {
    this.#generated.set(event.file, event)
    this.#written.add(event.file)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const events = [...this.#generated.values()]
      this.#generated = new Map()
      this.#queue = this.#queue.then(() => this.#apply(this.#revision, events)).catch(() => undefined)
    }, SETTLE_MS)
  }

  #answer(answer: DevAnswer | RehearsalAnswer): void {
    this.#wire.write(encodeFrame(FRAME_MESSAGE, Buffer.from(JSON.stringify(answer))))
  }
}

/** The server has a port of its own as well; what comes from outside reaches it without the way through that. */
function acceptAt(fd: number, servers: SessionServers): Promise<void> {
  // A restart in place brings another one.
  const outside = createServer({ allowHalfOpen: true }, (socket) =>
    servers.main.httpServer?.emit('connection', socket),
  )
  return new Promise((resolve) => outside.listen({ fd }, resolve))
}

/** A promise that nobody waits for fails in an app's own server code, or for what a page sent: neither ends the server. */
process.on('unhandledRejection', (reason) => {
  process.stderr.write(`${reason instanceof Error ? reason.stack : String(reason)}\n`)
})
tidyAtRest()
new DevHost().listen()
