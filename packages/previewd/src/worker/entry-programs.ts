import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import type { ToolError } from '../model/worker.ts'
import type { EntryChannel } from './entry-channel.ts'
import { forwardLines } from './entry-log.ts'
import type { RehearsalAnswer, RehearsalRequest } from './entry-rehearsal.ts'
import { type ChildSettings, encodeFrame, FRAME_MESSAGE, FrameReader, LISTENING_FD } from './protocol.ts'

export interface TaskEnd {
  exitCode: number | null
  signal: string | null
  errors: ToolError[]
  outDir?: string
}

/** The Nodes of our own that run a project's Vite, with a wire at descriptor 3. */
export type NodeKind = 'build' | 'dev'

const SCRIPTS: Record<NodeKind, string> = { build: 'entry-vite.js', dev: 'entry-dev.js' }
/** That of project code: where it has another one than the server, this half runs on the server's all the same. */
const NODE = '/usr/bin/node'
/** How long output of a program that has ended is waited for, where a child of it keeps the pipe open. */
const OUTPUT_GRACE_MS = 100
const NOTHING_STARTED = 127
/** Read by tools where they are loaded, which for a Node that has rehearsed is before it knows the project's. */
const READ_AT_LOAD = ['NODE_OPTIONS', 'NODE_ENV', 'BABEL_ENV', 'DEBUG', 'NO_COLOR', 'FORCE_COLOR']

/** Starts the programs of a worker as children of the entry, so that it can still speak when they exit, loop or crash. */
export class Programs {
  readonly #channel: EntryChannel
  readonly #settings: ChildSettings
  #prepared: { kind: NodeKind; child: ChildProcess } | undefined

  constructor(channel: EntryChannel, settings: ChildSettings) {
    this.#channel = channel
    this.#settings = settings
    if (settings.prepare !== 'none') this.#prepare(settings.prepare)
  }

  /** Has the Node that waits load the tools that a folder finds; what stood in the way, if anything did. */
  async rehearse(cwd: string, timeoutMs: number): Promise<string | undefined> {
    if (!this.#prepared) return undefined
    const { kind, child } = this.#prepared
    const failure = await askToRehearse(child, cwd, timeoutMs)
    if (failure === undefined) return undefined
    // Whatever became of it: one that has only started is slower and whole.
    child.kill('SIGKILL')
    this.#prepare(kind)
    return failure
  }

  /** The Node that waits, where it is of use: it knows no variables of the project yet, and another task may have killed it. */
  node(kind: NodeKind, env: Record<string, string>): ChildProcess {
    const prepared = this.#prepared
    const isOfUse = prepared?.kind === kind && READ_AT_LOAD.every((name) => env[name] === undefined)
    if (!isOfUse) return this.#startNode(kind, env)
    this.#prepared = undefined
    const { child } = prepared
    const alive = child.pid !== undefined && child.exitCode === null && child.signalCode === null
    return alive ? child : this.#startNode(kind, env)
  }

  start(file: string, args: string[], cwd: string, env: Record<string, string>): ChildProcess {
    return spawn(file, args, {
      cwd,
      env: { ...this.environment(cwd), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  /** Forwards what a program says as the log of a task; resolves when it has ended. */
  async watch(id: number, child: ChildProcess): Promise<TaskEnd> {
    const budget = { missingBytes: this.#settings.logBytes }
    const outputs = [child.stdout as Readable, child.stderr as Readable]
    const forwarded = Promise.all([
      forwardLines(outputs[0] as Readable, 'stdout', id, this.#channel, budget),
      forwardLines(outputs[1] as Readable, 'stderr', id, this.#channel, budget),
    ])
    const end = await ended(child)
    const timer = setTimeout(() => {
      for (const output of outputs) output.destroy()
    }, OUTPUT_GRACE_MS)
    await forwarded
    clearTimeout(timer)
    return end
  }

  /** All that a program sees; nothing of the entry's own. */
  environment(cwd: string): Record<string, string> {
    const folders: string[] = []
    for (let folder = cwd; folder.startsWith('/app'); folder = dirname(folder)) {
      folders.push(join(folder, 'node_modules/.bin'))
    }
    return {
      PATH: [...folders, '/usr/bin'].join(':'),
      HOME: '/tmp/home',
      LANG: 'C.UTF-8',
      ...(this.#settings.nodeFlags.length > 0 ? { NODE_OPTIONS: this.#settings.nodeFlags.join(' ') } : {}),
    }
  }

  #prepare(kind: NodeKind): void {
    const child = this.#startNode(kind, {})
    // Too many processes, say; whether it is there is looked at when it is needed.
    child.on('error', () => undefined)
    this.#prepared = { kind, child }
  }

  #startNode(kind: NodeKind, env: Record<string, string>): ChildProcess {
    return spawn(NODE, [...this.#settings.nodeFlags, join(import.meta.dirname, SCRIPTS[kind])], {
      cwd: '/app',
      env: { ...this.environment('/app'), ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', ...(kind === 'dev' ? [LISTENING_FD] : [])],
    })
  }
}

/** To a Node of ours. */
export function sendOnWire(wire: Socket, message: object): void {
  wire.write(encodeFrame(FRAME_MESSAGE, Buffer.from(JSON.stringify(message))))
}

async function askToRehearse(
  child: ChildProcess,
  cwd: string,
  timeoutMs: number,
): Promise<string | undefined> {
  const wire = child.stdio[3] as Socket | null | undefined
  if (child.pid === undefined || !wire) return 'no process'
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const reader = new FrameReader()
  const onAnswer = (bytes: Buffer) => {
    try {
      for (const frame of reader.read(bytes)) {
        resolve((JSON.parse(frame.body.toString('utf8')) as RehearsalAnswer).failure)
      }
    } catch {
      resolve('spoke out of turn')
    }
  }
  const onExit = () => resolve('ended')
  const timer = setTimeout(() => resolve('took too long'), timeoutMs)
  // What it says until its use has nothing to do with the project: it flows on, to nobody.
  for (const output of [child.stdout, child.stderr]) output?.resume()
  wire.on('error', () => wire.destroy())
  wire.on('data', onAnswer)
  child.once('exit', onExit)
  sendOnWire(wire, { type: 'rehearse', cwd } satisfies RehearsalRequest)
  const failure = await promise
  clearTimeout(timer)
  child.off('exit', onExit)
  wire.off('data', onAnswer)
  return failure
}

async function ended(child: ChildProcess): Promise<TaskEnd> {
  try {
    const [exitCode, signal] = (await once(child, 'exit')) as [number | null, string | null]
    return { exitCode, signal, errors: [] }
  } catch (error) {
    return { exitCode: NOTHING_STARTED, signal: null, errors: [{ message: (error as Error).message }] }
  }
}
