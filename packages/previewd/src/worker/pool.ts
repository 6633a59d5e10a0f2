import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { Logger } from 'pino'
import { type Ahead, CPU_WEIGHTS, type PoolView, type WorkerSpec } from '../model/worker.ts'
import { HostLine } from './host-line.ts'
import type { LaunchedSpec } from './launcher.ts'
import { Popularity } from './popularity.ts'
import type { Runner } from './runner.ts'

/** How patient a pool is. */
export interface PoolWaits {
  /** After the last use began until what is missing is made ready; the start of a dev server is over then, as a rule. */
  quietMs: number
  /** Between looks at the memory that the machine could still give. */
  lookEveryMs: number
  /** For loading the tools of a worker; over it, it waits without them. */
  rehearsalMs: number
}

export interface PoolParts {
  /** Workers that wait at most; 0 switches the pool off. */
  size: number
  /** Launches a worker in a place that nobody waits for; undefined where there is none. */
  launch: (spec: LaunchedSpec) => Promise<Runner | undefined>
  /** By default as long as suits real work. */
  waits?: Partial<PoolWaits> | undefined
  /** True while there is other work that must not be slowed down. */
  isBusy: () => boolean
  /** True while somebody waits for a place. */
  isCrowded: () => boolean
  /** Memory that the machine could still give, in bytes. */
  availableBytes: () => number
  logger: Pick<Logger, 'info' | 'warn'> | undefined
}

/** What a worker is launched with, and what it is made ready with. */
interface Kind {
  key: string
  spec: LaunchedSpec
  ahead: Ahead
}

interface Waiting {
  kind: Kind
  runner: Runner
  line: HostLine | undefined
  /** Ended for somebody who needed its place. */
  gaveWay: boolean
}

const MIB = 1024 * 1024
/** Projects differ in size; with these steps, most want the same worker. */
const APP_STEP_BYTES = 64 * MIB
/** A worker that holds more than this while it waits costs more than it saves. */
const MAX_WAITING_BYTES = 512 * MIB
/** Below this nothing waits: the memory is for work. */
const MIN_AVAILABLE_BYTES = 512 * MIB
/** A rehearsal has only what others leave of the processor. */
const WAITS: PoolWaits = { quietMs: 1_000, lookEveryMs: 5_000, rehearsalMs: 30_000 }

/**
 * Workers that wait, one for each of the environments that were used most of late, with its links in place and its
 * tools loaded. A worker here has seen nothing of any project; it serves one, once. They give way to everything.
 */
export class WarmPool {
  readonly #parts: PoolParts
  readonly #waits: PoolWaits
  readonly #popularity = new Popularity<Kind>()
  readonly #waiting = new Map<string, Waiting>()
  #filling: Waiting | undefined
  #isFilling = false
  #timer: NodeJS.Timeout | undefined
  readonly #look: NodeJS.Timeout | undefined
  #hits = 0
  #misses = 0
  #closed = false

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#waits = { ...WAITS, ...parts.waits }
    if (parts.size > 0) this.#look = setInterval(() => this.#relieve(), this.#waits.lookEveryMs).unref()
  }

  view(): PoolView {
    const due = this.#wanted().filter(({ key }) => !this.#waiting.has(key)).length
    return { waiting: this.#waiting.size, due, hits: this.#hits, misses: this.#misses }
  }

  /** The worker that waits for such a use, if one does; counts the use. */
  async take(spec: WorkerSpec): Promise<Runner | undefined> {
    if (!spec.ahead || this.#parts.size === 0) return undefined
    const kind = kindOf(spec, spec.ahead)
    this.#popularity.use(kind.key, kind)
    this.refillSoon()
    const waiting = this.#remove(kind.key)
    const runner = waiting && !waiting.runner.hasEnded && (await this.#handOut(waiting, spec))
    if (!runner) {
      this.#misses++
      return undefined
    }
    this.#hits++
    return runner
  }

  /** Makes ready what is missing, once nothing has begun for a moment. */
  refillSoon(): void {
    if (this.#closed || this.#parts.size === 0) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#refill(), this.#waits.quietMs).unref()
  }

  /** Gives one place to somebody who needs it. */
  giveWay(): void {
    // One that is being made ready gives its place once; who comes next gets another one's.
    const filling = this.#filling?.gaveWay ? undefined : this.#filling
    const last = this.#popularity.ranked().findLast(({ key }) => this.#waiting.has(key))
    const waiting = filling ?? this.#remove(last?.key ?? [...this.#waiting.keys()][0] ?? '')
    if (!waiting) return
    waiting.gaveWay = true
    void waiting.runner.stop()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    clearInterval(this.#look)
  }

  #remove(key: string): Waiting | undefined {
    const waiting = this.#waiting.get(key)
    this.#waiting.delete(key)
    return waiting
  }

  async #handOut({ runner, line }: Waiting, spec: WorkerSpec): Promise<Runner | undefined> {
    try {
      if (spec.bridge) line?.leadTo(spec.bridge.socket)
      await runner.leaveThePool(spec.limits.cpuWeight, spec.listen)
      return runner
    } catch (cause) {
      this.#parts.logger?.warn({ err: cause }, 'a worker that waited could not be used')
      await runner.stop()
      return undefined
    }
  }

  async #refill(): Promise<void> {
    if (this.#isFilling) return
    const wanted = this.#wanted()
    const missing = wanted.find(({ key }) => !this.#waiting.has(key))
    if (!missing || !this.#mayFill()) return
    this.#isFilling = true
    try {
      this.#makeRoom(new Set(wanted.map(({ key }) => key)))
      if (await this.#fill(missing)) this.refillSoon()
    } catch (cause) {
      if (this.#closed || this.#filling?.gaveWay) return
      // Its next use lets it try again.
      this.#popularity.forget(missing.key)
      this.#parts.logger?.warn({ err: cause }, 'no worker could be made ready ahead')
    } finally {
      this.#filling = undefined
      this.#isFilling = false
    }
  }

  #wanted(): Kind[] {
    return this.#popularity.ranked().slice(0, this.#parts.size)
  }

  #mayFill(): boolean {
    const { isBusy, isCrowded, availableBytes } = this.#parts
    return !this.#closed && !isBusy() && !isCrowded() && availableBytes() > 2 * MIN_AVAILABLE_BYTES
  }

  /** What is wanted less than what is to come ends. */
  #makeRoom(wanted: ReadonlySet<string>): void {
    for (const key of [...this.#waiting.keys()]) {
      if (!wanted.has(key)) void this.#remove(key)?.runner.stop()
    }
  }

  /** False where there is no place for it now. */
  async #fill(kind: Kind): Promise<boolean> {
    const sinceMs = performance.now()
    const waiting = await this.#launch(kind)
    if (!waiting) return false
    const { runner } = waiting
    this.#filling = waiting
    await runner.ready
    await runner.put(kind.ahead.entries)
    await runner.rehearse(kind.ahead.root, this.#waits.rehearsalMs).catch((cause: Error) => {
      this.#parts.logger?.info({ environment: kind.ahead.key, reason: cause.message }, 'no rehearsal')
    })
    const memoryBytes = await runner.memoryBytes()
    const isUnwanted = this.#closed || this.#parts.isCrowded() || waiting.gaveWay || runner.hasEnded
    if (isUnwanted || memoryBytes > MAX_WAITING_BYTES) {
      await runner.stop()
      if (memoryBytes > MAX_WAITING_BYTES) this.#popularity.forget(kind.key)
      return false
    }
    this.#waiting.set(kind.key, waiting)
    const ms = Math.round(performance.now() - sinceMs)
    this.#parts.logger?.info({ environment: kind.ahead.key, ms, memoryBytes }, 'a worker waits for its use')
    return true
  }

  async #launch(kind: Kind): Promise<Waiting | undefined> {
    const { bridge, listen } = kind.spec
    const line = bridge && (await HostLine.open(dirname(bridge.socket)))
    const name = `waiting-${randomBytes(8).toString('hex')}.sock`
    const runner = await this.#parts
      .launch({
        ...kind.spec,
        ...(line && bridge && { bridge: { ...bridge, socket: line.socket } }),
        ...(listen !== undefined && { listen: join(dirname(listen), name) }),
      })
      .catch(async (cause) => {
        await line?.close()
        throw cause
      })
    if (!runner) {
      await line?.close()
      return undefined
    }
    const waiting = { kind, runner, line, gaveWay: false }
    // Ended by its idle time, say, or at the end of its use.
    void runner.done.then(async () => {
      if (this.#waiting.get(kind.key) === waiting) this.#waiting.delete(kind.key)
      await line?.close()
    })
    return waiting
  }

  /** The machine has become short of memory. */
  #relieve(): void {
    if (this.#parts.availableBytes() >= MIN_AVAILABLE_BYTES) return
    while (this.#waiting.size > 0) this.giveWay()
  }
}

/**
 * What a worker is launched with makes its kind; time, signal, share of the processor and the names of sockets begin with
 * the use. The space of /app is rounded up, unless it is small.
 */
function kindOf({ limits, signal: _, ahead: __, bridge, listen, ...rest }: WorkerSpec, ahead: Ahead): Kind {
  const rounded = Math.ceil(limits.appBytes / APP_STEP_BYTES) * APP_STEP_BYTES
  const appBytes = limits.appBytes < APP_STEP_BYTES ? limits.appBytes : rounded
  const { wallMs: ___, cpuWeight: ____, ...kept } = { ...limits, appBytes }
  const sockets = { ...(bridge && { bridge }), ...(listen !== undefined && { listen }) }
  return {
    key: JSON.stringify([ahead.key, ahead.root, rest, bridge?.port, listen !== undefined, kept]),
    spec: { ...rest, ...sockets, limits: { ...limits, appBytes, cpuWeight: CPU_WEIGHTS.waiting } },
    ahead,
  }
}
