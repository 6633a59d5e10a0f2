import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import type { ToolError } from '../model/worker.ts'
import type { EntryChannel } from './entry-channel.ts'
import { forwardLines } from './entry-log.ts'
import { type ChildSettings, encodeFrame, FRAME_MESSAGE } from './protocol.ts'

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

/** Starts the programs of a worker as children of the entry, so that it can still speak when they exit, loop or crash. */
export class Programs {
  readonly #channel: EntryChannel
  readonly #settings: ChildSettings
  #prepared: { kind: NodeKind; child: ChildProcess } | undefined

  constructor(channel: EntryChannel, settings: ChildSettings) {
    this.#channel = channel
    this.#settings = settings
    if (settings.prepare === 'none') return
    const child = this.#startNode(settings.prepare, {})
    // Too many processes, say; whether it is there is looked at when it is needed.
    child.on('error', () => undefined)
    this.#prepared = { kind: settings.prepare, child }
  }

  /** The Node that waits, where it is of use: NODE_OPTIONS is read at its start, and another task may have killed it. */
  node(kind: NodeKind, env: Record<string, string>): ChildProcess {
    const prepared = this.#prepared
    if (prepared?.kind !== kind || env.NODE_OPTIONS !== undefined) return this.#startNode(kind, env)
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

  #startNode(kind: NodeKind, env: Record<string, string>): ChildProcess {
    return spawn(NODE, [...this.#settings.nodeFlags, join(import.meta.dirname, SCRIPTS[kind])], {
      cwd: '/app',
      env: { ...this.environment('/app'), ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
  }
}

/** To a Node of ours. */
export function sendOnWire(wire: Socket, message: object): void {
  wire.write(encodeFrame(FRAME_MESSAGE, Buffer.from(JSON.stringify(message))))
}

async function ended(child: ChildProcess): Promise<TaskEnd> {
  try {
    const [exitCode, signal] = (await once(child, 'exit')) as [number | null, string | null]
    return { exitCode, signal, errors: [] }
  } catch (error) {
    return { exitCode: NOTHING_STARTED, signal: null, errors: [{ message: (error as Error).message }] }
  }
}
