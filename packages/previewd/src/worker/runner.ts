import type { ChildProcess } from 'node:child_process'
import { rename, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import {
  type DevServer,
  type DevTask,
  type InputEntry,
  type LogLine,
  type OutputEntry,
  type OutputLimits,
  type Task,
  type TaskOutcome,
  type Worker,
  WorkerError,
  type WorkerLimits,
} from '../model/worker.ts'
import type { Cgroup } from './cgroup.ts'
import { Channel } from './channel.ts'
import type { CheckedMessage } from './child-message.ts'
import { Inputs } from './inputs.ts'
import { endChain } from './launch.ts'
import { OutputReceiver } from './output.ts'
import { type ChildSettings, type HostMessage, PROTOCOL_VERSION, ProtocolError } from './protocol.ts'
import { isOfDevServer, RemoteDevServer } from './remote-dev-server.ts'
import { inApp, RunningTasks, type TaskEnd, toRequest, toServeRequest } from './tasks.ts'

/** Why a worker is no more. */
export type Ending =
  | { kind: 'stopped' | 'timed_out' | 'canceled' }
  /** Closed by itself: killed for memory, or by its own doing. */
  | { kind: 'gone' }
  | { kind: 'violation'; detail: string }

export interface RunnerParts {
  chain: ChildProcess
  channel: Socket
  cgroup: Cgroup | undefined
  limits: WorkerLimits
  settings: ChildSettings
  /** At which its dev server is reached. */
  socket: string | undefined
  /** Frees what the worker held; called once, when no process is left (or, with false, when that failed). */
  release: (clean: boolean) => void
  /** What went wrong while the worker was ended. */
  onTrouble: (cause: unknown) => void
}

const STDERR_BYTES = 8 * 1024
/** For a machine that is busy; the time of the worker itself begins after it. */
const START_TIMEOUT_MS = 30_000
/** How long a worker that was started ahead waits for its use. */
const IDLE_TIMEOUT_MS = 10 * 60_000
/** setTimeout fires at once beyond it. */
const MAX_TIMER_MS = 0x7fffffff
const END_TIMEOUT_MS = 5_000
/** Share of the memory limit at which an abort of V8 counts as running out of memory. */
const ABORT_MEMORY_SHARE = 0.6

/** The host's half of a worker. Believes nothing that the child says beyond the form of its messages. */
export class Runner implements Worker {
  readonly ready: Promise<void>
  /** Resolves when the worker is gone for whatever reason, and its slot with it. */
  readonly done: Promise<void>
  waited = false
  readonly #parts: RunnerParts
  readonly #channel: Channel
  readonly #exited: Promise<void>
  #timer: NodeJS.Timeout
  readonly #tasks: RunningTasks
  readonly #inputs: Inputs
  #output: { receiver: OutputReceiver; ended: () => void } | undefined
  #devServer: RemoteDevServer | undefined
  #ending: Ending | undefined
  #nextId = 1
  #isReady = false
  #use: { wallMs: number; signal: AbortSignal | undefined } | undefined
  #socket: string | undefined
  #stderr = ''
  #collectQueue: Promise<unknown> = Promise.resolve()
  #settleReady: { resolve: () => void; reject: (cause: Error) => void }
  #settleDone: () => void

  constructor(parts: RunnerParts) {
    this.#parts = parts
    this.#socket = parts.socket
    const ready = Promise.withResolvers<void>()
    this.ready = ready.promise
    this.#settleReady = ready
    const done = Promise.withResolvers<void>()
    this.done = done.promise
    this.#settleDone = done.resolve
    this.#exited = new Promise((resolve) => {
      parts.chain.once('exit', () => resolve())
      parts.chain.once('error', () => resolve())
    })
    this.#tasks = new RunningTasks(parts.limits.logBytes, (end) => this.#outcomeOf(end))
    this.#keepStderr()
    this.#channel = new Channel(parts.channel, {
      message: (message) => this.#receive(message),
      chunk: (bytes) => {
        if (!this.#output) throw new ProtocolError('content that was not asked for')
        this.#output.receiver.push({ chunk: bytes })
      },
      end: (violation) => this.#end(violation ? broken(violation.message) : { kind: 'gone' }),
    })
    this.#inputs = new Inputs({
      channel: this.#channel,
      nextId: () => this.#nextId++,
      onBroken: (what) => this.#end(broken(what)),
    })
    this.#timer = this.#endAfter(START_TIMEOUT_MS)
    void this.#channel.send({ type: 'init', version: PROTOCOL_VERSION, settings: parts.settings })
  }

  /** Starts the clock of the one use that the worker has; it waits for it as long as it may be idle. */
  begin(wallMs: number, signal: AbortSignal | undefined): void {
    this.#use = { wallMs, signal }
    if (this.#isReady) this.#restartTimer()
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (signal?.aborted) this.#onAbort()
  }

  get hasEnded(): boolean {
    return this.#ending !== undefined
  }

  /** Gives one that waited what it was launched without: a share of the processor, and the name of its socket. */
  async leaveThePool(cpuWeight: number, socket: string | undefined): Promise<void> {
    this.waited = true
    await this.#parts.cgroup?.setCpuWeight(cpuWeight)
    if (this.#socket === undefined || socket === undefined) return
    await rename(this.#socket, socket)
    this.#socket = socket
  }

  async setCpuWeight(weight: number): Promise<void> {
    try {
      await this.#parts.cgroup?.setCpuWeight(weight)
    } catch (error) {
      if (!this.hasEnded) throw error
    }
  }

  /** Loads the tools that a folder finds; rejects where that failed, which leaves a worker as good as a new one. */
  async rehearse(root: string, timeoutMs: number): Promise<void> {
    await this.#inputs.rehearse(inApp(root), timeoutMs)
  }

  async put(entries: Iterable<InputEntry> | AsyncIterable<InputEntry>): Promise<void> {
    await this.#inputs.put(entries)
  }

  async remove(paths: readonly string[]): Promise<void> {
    await this.#inputs.remove(paths)
  }

  async run(task: Task, onLog: (line: LogLine) => void = () => undefined): Promise<TaskOutcome> {
    if (this.#ending) return this.#outcomeOfEnding()
    const id = this.#nextId++
    const outcome = this.#tasks.begin(id, onLog)
    try {
      await this.#channel.send({ type: 'run', id, task: toRequest(task) })
    } catch (error) {
      const errors = [{ message: (error as Error).message }]
      this.#tasks.finish(id, { kind: 'failed', exitCode: null, errors })
    }
    return await outcome
  }

  async serve(
    task: DevTask,
    revision: number,
    onLog: (line: LogLine) => void = () => undefined,
  ): Promise<DevServer | TaskOutcome> {
    if (this.#ending) return this.#outcomeOfEnding()
    const socket = this.#socket
    if (socket === undefined || this.#devServer) throw new Error('this worker has no socket to serve at')
    const id = this.#nextId++
    const ended = this.#tasks.begin(id, onLog)
    const send = (message: HostMessage) => this.#inputs.send(message)
    this.#devServer = new RemoteDevServer({ id, socket, ended, send })
    await send({ type: 'serve', id, task: toServeRequest(task, revision) })
    return await Promise.race([this.#devServer.serving, ended])
  }

  async memoryBytes(): Promise<number> {
    return (await this.#parts.cgroup?.memoryBytes()) ?? 0
  }

  async *collect(directory: string, limits: OutputLimits): AsyncGenerator<OutputEntry> {
    const earlier = this.#collectQueue
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#collectQueue = promise
    await earlier
    if (this.#ending) {
      resolve()
      throw this.#endedError()
    }
    const receiver = new OutputReceiver(this.#nextId++, this.#channel, limits)
    this.#output = { receiver, ended: resolve }
    void this.#channel.send({ type: 'collect', id: receiver.id, directory })
    try {
      yield* receiver.entries()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#end(broken(error.message))
      throw new WorkerError('violation', `The worker sent ${error.message}.`)
    } finally {
      if (this.#output?.receiver === receiver) {
        receiver.discard()
        void this.#channel.send({ type: 'collect-cancel', id: receiver.id })
      }
    }
  }

  async stop(): Promise<void> {
    this.#end({ kind: 'stopped' })
    await this.done
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #receive(message: CheckedMessage): void {
    if (message.type === 'ready') {
      if (message.version !== PROTOCOL_VERSION) throw new ProtocolError('another version')
      if (this.#isReady) throw new ProtocolError('ready twice')
      this.#isReady = true
      this.#restartTimer()
      this.#settleReady.resolve()
    } else if (message.type === 'put-done') {
      this.#inputs.receive(message)
    } else if (isOfDevServer(message)) {
      if (!this.#devServer) throw new ProtocolError('words of no dev server')
      this.#devServer.receive(message)
    } else if (message.type === 'entry' || message.type === 'collect-end') {
      this.#receiveOfOutput(message)
    } else {
      this.#tasks.receive(message)
    }
  }

  #receiveOfOutput(message: Extract<CheckedMessage, { type: 'entry' | 'collect-end' }>): void {
    const output = this.#output
    if (output?.receiver.id !== message.id) throw new ProtocolError('an output that was not asked for')
    if (message.type === 'entry') {
      output.receiver.push({ entry: message })
      return
    }
    this.#output = undefined
    output.receiver.push({ end: message })
    output.ended()
  }

  async #outcomeOf(end: TaskEnd): Promise<TaskOutcome> {
    if (end.exitCode === 0 && end.signal === null) {
      return { kind: 'succeeded', ...(end.outDir === undefined ? {} : { outDir: end.outDir }) }
    }
    if (await this.#ranOutOfMemory(end.signal === 'SIGABRT' || end.exitCode === 134)) {
      return { kind: 'out_of_memory' }
    }
    return {
      kind: 'failed',
      exitCode: end.exitCode,
      ...(end.signal === null ? {} : { signal: end.signal }),
      errors: end.errors,
    }
  }

  /** V8 aborts by itself when its heap limit, which is set below that of the group, is reached. */
  async #ranOutOfMemory(aborted: boolean): Promise<boolean> {
    const { cgroup, limits } = this.#parts
    if (!cgroup) return false
    if ((await cgroup.oomKills()) > 0) return true
    return aborted && (await cgroup.peakMemoryBytes()) > limits.memoryBytes * ABORT_MEMORY_SHARE
  }

  readonly #onAbort = (): void => this.#end({ kind: 'canceled' })

  #restartTimer(): void {
    clearTimeout(this.#timer)
    this.#timer = this.#endAfter(this.#use?.wallMs ?? IDLE_TIMEOUT_MS)
  }

  #endAfter(timeoutMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#end({ kind: 'timed_out' }), Math.min(timeoutMs, MAX_TIMER_MS))
  }

  /** The only way out. The first reason counts. */
  #end(ending: Ending): void {
    if (this.#ending) return
    this.#ending = ending
    clearTimeout(this.#timer)
    this.#use?.signal?.removeEventListener('abort', this.#onAbort)
    this.#channel.ignore()
    void this.#finish()
  }

  async #finish(): Promise<void> {
    const clean = await this.#endProcesses().catch((cause) => {
      this.#parts.onTrouble(cause)
      return false
    })
    if (this.#socket) await rm(this.#socket, { force: true })
    this.#parts.release(clean)
    this.#tasks.finishAll(this.#outcomeOfEnding())
    const error = this.#endedError()
    this.#inputs.end(error)
    this.#devServer?.end(error)
    this.#output?.receiver.push({ failure: error })
    this.#output?.ended()
    this.#output = undefined
    this.#settleReady.reject(new Error(this.#stderr.trim() || error.message))
    this.#settleDone()
  }

  /** False when some could not be ended. */
  async #endProcesses(): Promise<boolean> {
    const { chain, cgroup } = this.#parts
    await endChain(chain, this.#exited)
    this.#channel.close()
    if (this.#ending?.kind === 'gone' && (await this.#ranOutOfMemory(false))) {
      this.#tasks.finishAll({ kind: 'out_of_memory' })
    }
    return cgroup ? await cgroup.destroy(END_TIMEOUT_MS) : true
  }

  #outcomeOfEnding(): TaskOutcome {
    const ending = this.#ending
    if (ending?.kind === 'timed_out') return { kind: 'timed_out' }
    if (ending?.kind === 'stopped' || ending?.kind === 'canceled') return { kind: 'canceled' }
    if (ending?.kind === 'violation') return ending
    return { kind: 'violation', detail: 'The worker ended before its task.' }
  }

  #endedError(): WorkerError {
    const ending = this.#ending
    if (ending?.kind === 'violation') return new WorkerError('violation', ending.detail)
    return new WorkerError('ended', `The worker has ended (${ending?.kind ?? 'gone'}).`)
  }

  /** What the launch chain and the child complain of; a flood is not read to its end. */
  #keepStderr(): void {
    const { stderr } = this.#parts.chain
    stderr?.on('error', () => stderr.destroy())
    stderr?.on('data', (bytes: Buffer) => {
      this.#stderr += bytes.toString('utf8')
      if (this.#stderr.length > STDERR_BYTES) stderr.destroy()
    })
  }
}

function broken(what: string): Ending {
  return { kind: 'violation', detail: `The worker broke the protocol: ${what}.` }
}
