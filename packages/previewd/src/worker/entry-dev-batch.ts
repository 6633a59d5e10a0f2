import { basename, dirname, normalize } from 'node:path'
import type { ToolError } from '../model/worker.ts'
import { COMING_EVENT, importedBy, type Update } from './entry-dev-coming.ts'
import {
  type DevEnvironment,
  REVISION_EVENT,
  type RequestWatchers,
  type ResolvedDevConfig,
  type ViteDevServer,
} from './entry-dev-vite.ts'
import { toToolErrors } from './entry-errors.ts'

export interface FileEvent {
  /** Absolute. */
  file: string
  kind: 'add' | 'change' | 'unlink'
}

export interface BatchResult {
  kind: 'none' | 'hmr' | 'reload' | 'restart'
  errors: ToolError[]
}

type Payload = { type: string; updates?: Update[] } & Record<string, unknown>
const CONFIG_NAME = /^vite\.config\.[cm]?[jt]s$/
const SETTLE_TIMEOUT_MS = 10_000

/** The Vite servers of a session, as they are now: a framework that restarts has others. */
export interface SessionServers extends RequestWatchers {
  /** The one that pages talk to. */
  readonly main: ViteDevServer
  /** Those that only render. */
  readonly others: readonly ViteDevServer[]
  /** Which bundle of the dependencies it started from. */
  readonly bundle?: string
  /** Waits for what is made of changed files outside of Vite; true where pages have to be reloaded for it. */
  settle?(files: readonly string[]): Promise<boolean>
}

/**
 * Brings batches of changes into a Vite dev server that does not watch files. What Vite would send for each file is
 * held back until all of them were looked at, then goes out as one payload.
 */
export class HotBatches {
  readonly #servers: SessionServers
  /** Updates that pages have not got, because something else in their batch did not compile. */
  #held: Update[] = []
  #holdsReload = false
  /** Update messages since pages were last told of a revision: one that heard fewer of them does not show it. */
  #updates = 0
  /** Files that did not compile; looked at again with each batch, since the cause may be in another file. */
  readonly #broken = new Set<string>()
  /** Updates can be held of files that went since. */
  readonly #gone = new Set<string>()
  /** There is a configuration that could not be loaded; any file may be what it lacked. */
  #isConfigDue = false

  constructor(servers: SessionServers) {
    this.#servers = servers
  }

  get #server(): ViteDevServer {
    return this.#servers.main
  }

  /** Without a revision, pages get hot updates and hear nothing else: a reload would show what may be taken back. */
  async apply(revision: number | null, events: readonly FileEvent[], reload: boolean): Promise<BatchResult> {
    const config = this.#server.config
    for (const { file, kind } of events) {
      if (kind === 'unlink') this.#gone.add(file)
      else this.#gone.delete(file)
    }
    const named = new Set(events.map(({ file }) => file))
    const again = [...this.#broken].filter((file) => !named.has(file))
    const all = [...events, ...again.map((file): FileEvent => ({ file, kind: 'change' }))]
    const isFirst =
      config.configFile === undefined && events.some((event) => isFirstConfig(event, config.root))
    if ((isFirst || this.#isConfigDue) && revision !== null) {
      await this.#server.restart()
      this.#isConfigDue = this.#server.config === config
      if (!this.#isConfigDue) return this.#restarted()
    }
    const settling = this.#servers.settle?.(events.map(({ file }) => file))
    const { payloads, isDone } = await this.#collect(all)
    if (this.#server.config !== config) return this.#restarted()
    // What a plugin has not come to say, pages get by a reload.
    if ((await settling) || reload || !isDone) this.#holdsReload = true
    const result = await this.#finish(all, payloads, revision !== null)
    if (revision !== null) this.#tellRevision(revision, result)
    return result
  }

  #tellRevision(revision: number, { kind }: BatchResult): void {
    const updates = this.#updates
    this.#updates = 0
    this.#send({ type: 'custom', event: REVISION_EVENT, data: { revision, kind, updates } })
  }

  /** Vite's own listeners do the work; each is waited for. */
  async #collect(events: readonly FileEvent[]): Promise<{ payloads: Payload[]; isDone: boolean }> {
    const { ws, config } = this.#server
    const watchers = [...this.#servers.others, this.#server].map(({ watcher }) => watcher)
    const payloads: Payload[] = []
    let isDone = true
    const send = ws.send
    ws.send = (...payload) => void payloads.push(toPayload(payload))
    try {
      for (const { file, kind } of events) {
        // A restart is waited for; the host ends a server that does not come back from it.
        const timeoutMs = restartsFor(file, config) ? undefined : SETTLE_TIMEOUT_MS
        for (const watcher of watchers) {
          const of = (name: string, ...about: string[]) =>
            settled(
              () => watcher.listeners(name).map((listener) => listener.apply(watcher, about)),
              timeoutMs,
            )
          isDone = (await of(kind, file)) && isDone
          isDone = (await of('all', kind, file)) && isDone
        }
      }
    } finally {
      ws.send = send
    }
    return { payloads, isDone }
  }

  async #finish(
    events: readonly FileEvent[],
    payloads: readonly Payload[],
    mayReload: boolean,
  ): Promise<BatchResult> {
    for (const payload of payloads) {
      if (payload.type === 'update') this.#held.push(...(payload.updates ?? []))
      else if (payload.type === 'full-reload') this.#holdsReload = true
      else this.#send(payload)
    }
    // A framework that says something to its pages itself brings the new data in without a reload.
    const isTold = payloads.some(({ type }) => type === 'custom')
    if (!isTold && events.some(({ file }) => this.#isOnServerOnly(file))) this.#holdsReload = true
    if (this.#held.length === 0 && events.some(({ file }) => this.#isPublic(file))) this.#holdsReload = true
    if (events.some((event) => this.#wasMissed(event))) this.#holdsReload = true
    if (this.#held.some((update) => this.#gone.has(this.#fileOf(update) ?? ''))) this.#holdsReload = true
    const wasWhole = this.#broken.size === 0
    const compiling = this.#compile(events)
    // What did not compile before may not now either, and browsers say in the console what they did not get.
    if (wasWhole && !this.#holdsReload) this.#foretell(compiling)
    const errors = await compiling
    if (errors.length > 0) {
      // Vite's client takes an overlay before its first update for a page that never ran, and would reload to heal it.
      if (wasWhole) this.#send({ type: 'update', updates: [] })
      this.#send({ type: 'error', err: toOverlayError(errors[0] as ToolError) })
      return { kind: 'none', errors }
    }
    const kind = this.#holdsReload ? 'reload' : this.#held.length > 0 ? 'hmr' : 'none'
    if (kind === 'reload' && !mayReload) return { kind: 'none', errors }
    if (kind === 'reload') this.#send({ type: 'full-reload', path: '*' })
    else if (kind === 'hmr') this.#send({ type: 'update', updates: withoutRepeats(this.#held) })
    this.#forget()
    return { kind, errors }
  }

  /** Pages have the modules of an update on their way by the time that it comes. */
  #foretell(compiling: Promise<unknown>): void {
    const compiled = new Map<string, Promise<boolean>>()
    for (const update of this.#held) {
      const url = importedBy(update, this.#server.config.base ?? '/')
      const isWhole = () => !this.#broken.has(this.#fileOf(update) ?? '')
      if (url !== undefined) compiled.set(url, compiling.then(isWhole, isWhole))
    }
    this.#servers.coming.replace(compiled)
    if (compiled.size > 0) this.#send({ type: 'custom', event: COMING_EVENT, data: [...compiled.keys()] })
  }

  /** Transforms what changed, as far as it is in use, so that errors are known before pages ask. */
  async #compile(events: readonly FileEvent[]): Promise<ToolError[]> {
    const files = new Map(events.map(({ file, kind }) => [file, kind]))
    // What pages will ask for next besides, such as a stylesheet that is made of what the changed file says.
    for (const file of [...this.#heldFiles(), ...this.#leftBy(events)]) {
      if (!files.has(file)) files.set(file, 'change')
    }
    if (files.size > 0) await nextMillisecond()
    const results = await Promise.all(
      [...files].map(async ([file, kind]) => {
        const outcomes = kind === 'unlink' ? [] : await Promise.allSettled(this.#transforms(file))
        const failed = outcomes.filter((outcome) => outcome.status === 'rejected')
        if (failed.length > 0) this.#broken.add(file)
        else this.#broken.delete(file)
        return failed.flatMap(({ reason }) => toToolErrors(reason))
      }),
    )
    return results.flat()
  }

  *#heldFiles(): Generator<string> {
    for (const update of this.#held) {
      const file = this.#fileOf(update)
      if (file && !this.#gone.has(file)) yield file
    }
  }

  #fileOf({ acceptedPath }: Update): string | null | undefined {
    return this.#clientSide().moduleGraph.urlToModuleMap.get(acceptedPath)?.file
  }

  /** Files that import one that is gone. Vite takes their imports for what they were, and pages would find nothing there. */
  *#leftBy(events: readonly FileEvent[]): Generator<string> {
    const { moduleGraph } = this.#clientSide()
    for (const { file, kind } of events) {
      if (kind !== 'unlink') continue
      for (const { importers } of moduleGraph.getModulesByFile(file) ?? []) {
        for (const importer of importers) {
          moduleGraph.invalidateModule(importer)
          if (importer.file) yield importer.file
        }
      }
    }
  }

  /** On the server side only what pages have no part in: the rest would be said twice. */
  #transforms(file: string): Promise<unknown>[] {
    if (!this.#isOnServerOnly(file)) return transforms(this.#clientSide(), file)
    return this.#serverSides().flatMap((side) =>
      transforms(side, file).map(async (transformed) => {
        await transformed
        // A module that is transformed already is one that Vite's runner takes to be unchanged.
        for (const module of side.moduleGraph.getModulesByFile(file) ?? [])
          side.moduleGraph.invalidateModule(module)
      }),
    )
  }

  #clientSide(): DevEnvironment {
    return this.#server.environments?.client ?? this.#server
  }

  #serverSides(): DevEnvironment[] {
    const named = Object.entries(this.#server.environments ?? {})
    return named.flatMap(([name, environment]) => (name === 'client' ? [] : environment))
  }

  /** Before version 6 Vite itself reloads pages for such a file. */
  #isOnServerOnly(file: string): boolean {
    const has = ({ moduleGraph }: DevEnvironment) => (moduleGraph.getModulesByFile(file)?.size ?? 0) > 0
    return [...this.#serverSides(), ...this.#servers.others].some(has) && !has(this.#clientSide())
  }

  #isPublic(file: string): boolean {
    const { publicDir } = this.#server.config
    return publicDir !== '' && file.startsWith(`${publicDir}/`)
  }

  #wasMissed({ file, kind }: FileEvent): boolean {
    return kind === 'add' && this.#servers.missing.take(file, this.#server.config.root)
  }

  #send(payload: Payload): void {
    if (payload.type === 'update') this.#updates++
    this.#server.ws.send(payload)
  }

  #restarted(): BatchResult {
    this.#forget()
    return { kind: 'restart', errors: [] }
  }

  #forget(): void {
    this.#held = []
    this.#holdsReload = false
    this.#gone.clear()
    this.#broken.clear()
  }
}

function transforms(side: DevEnvironment, file: string): Promise<unknown>[] {
  return (
    [...(side.moduleGraph.getModulesByFile(file) ?? [])]
      .map(({ url }) => url)
      // Vite gives files that are only watched, such as a Tailwind configuration, a made-up address.
      .filter((url) => !url.startsWith('/@fs/') || url.includes('?'))
      .map((url) => side.transformRequest(url))
  )
}

/**
 * Calls listeners and waits for the work that they begin. Up to version 7 Vite's return a promise; those of 8 keep it
 * and only call `catch` on it, so that is where it is seen: within this one synchronous call. False where it has not
 * ended in time.
 */
async function settled(call: () => unknown[], timeoutMs: number | undefined): Promise<boolean> {
  const begun: unknown[] = []
  const original = Promise.prototype.catch
  Promise.prototype.catch = function (this: Promise<unknown>, ...args) {
    begun.push(this)
    return original.apply(this, args)
  } as typeof original
  try {
    begun.push(...call())
  } finally {
    Promise.prototype.catch = original
  }
  const done = Promise.allSettled(begun).then(() => true)
  if (timeoutMs === undefined) return await done
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(resolve, timeoutMs, false)
  const isDone = await Promise.race([done, late])
  clearTimeout(timer)
  return isDone
}

/**
 * Up to version 6 Vite does not keep what it began to make in the millisecond in which the module was invalidated, and
 * would make it once more for each page that asks.
 */
async function nextMillisecond(): Promise<void> {
  const now = Date.now()
  while (Date.now() === now) await new Promise((resolve) => setImmediate(resolve))
}

function restartsFor(file: string, { configFile, configFileDependencies = [] }: ResolvedDevConfig): boolean {
  return file === configFile || configFileDependencies.includes(file) || /^\.env(?:\.|$)/.test(basename(file))
}

/** `send` takes a payload, or the name and the content of an event. */
function toPayload([first, data]: unknown[]): Payload {
  return typeof first === 'string' ? { type: 'custom', event: first, data } : (first as Payload)
}

function withoutRepeats(updates: readonly Update[]): Update[] {
  const newest = new Map<string, Update>()
  for (const update of updates) newest.set(`${update.type} ${update.path} ${update.acceptedPath}`, update)
  return [...newest.values()]
}

/** What Vite's overlay shows. */
function toOverlayError({ message, stack, file, frame, plugin, line, column }: ToolError): object {
  return {
    message,
    stack: stack ?? '',
    ...(file && { id: file }),
    ...(frame && { frame }),
    ...(plugin && { plugin }),
    ...(line !== undefined && { loc: { file, line, column: Math.max(0, (column ?? 1) - 1) } }),
  }
}

/** Vite looks after the configuration that it started with; of one that comes later it does not know. */
function isFirstConfig({ file, kind }: FileEvent, root: string): boolean {
  return kind === 'add' && dirname(file) === normalize(root) && CONFIG_NAME.test(basename(file))
}
