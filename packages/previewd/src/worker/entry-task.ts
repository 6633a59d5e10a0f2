import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import type { ToolError } from '../model/worker.ts'
import type { EntryChannel } from './entry-channel.ts'
import { forwardLines } from './entry-log.ts'
import type { ViteAnswer, ViteRequest } from './entry-vite.ts'
import { type ChildSettings, encodeFrame, FRAME_MESSAGE, FrameReader, type TaskRequest } from './protocol.ts'

type ViteTask = TaskRequest & { kind: 'vite-build' }
type ExecTask = TaskRequest & { kind: 'exec' }

/** How long output of a program that has ended is waited for, where a child of it keeps the pipe open. */
const OUTPUT_GRACE_MS = 100
/** How long a finished build may go on with work that it did not wait for. */
const IDLE_GRACE_MS = 1_000
const NOTHING_STARTED = 127

interface TaskEnd {
  exitCode: number | null
  signal: string | null
  errors: ToolError[]
  outDir?: string
}

/** Runs tasks as children of the entry, so that it can still speak when they exit, loop or crash. */
export class TaskRunner {
  readonly #channel: EntryChannel
  readonly #settings: ChildSettings
  #prepared: ChildProcess | undefined

  constructor(channel: EntryChannel, settings: ChildSettings) {
    this.#channel = channel
    this.#settings = settings
    if (!settings.prepareVite) return
    this.#prepared = this.#startVite({})
    // Too many processes, say; whether it is there is looked at when it is needed.
    this.#prepared.on('error', () => undefined)
  }

  async run(id: number, task: TaskRequest): Promise<void> {
    const end = await (task.kind === 'exec' ? this.#exec(id, task) : this.#viteBuild(id, task))
    this.#channel.send({ type: 'task-end', id, ...end })
  }

  async #exec(id: number, { file, args, cwd, env }: ExecTask): Promise<TaskEnd> {
    const child = spawn(file, args, {
      cwd,
      env: { ...this.#environment(cwd), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return await this.#watch(id, child)
  }

  async #viteBuild(id: number, { cwd, options, env }: ViteTask): Promise<TaskEnd> {
    const environment = { ...this.#environment(cwd), ...env }
    const child = this.#takePrepared(env) ?? this.#startVite(env)
    const wire = child.stdio[3] as Socket
    const answered = this.#readAnswers(child, wire)
    const request: ViteRequest = { cwd, options, env: environment }
    wire.write(encodeFrame(FRAME_MESSAGE, Buffer.from(JSON.stringify(request))))
    const end = await this.#watch(id, child)
    const answer = answered()
    if (answer?.type === 'failed') return { exitCode: 1, signal: null, errors: answer.errors }
    if (answer?.type === 'built') return { exitCode: 0, signal: null, errors: [], outDir: answer.outDir }
    const message = 'The build ended its process before it was done.'
    return { ...end, exitCode: end.exitCode || null, errors: [...end.errors, { message }] }
  }

  /** The Node that waits, where it is of use: NODE_OPTIONS is read at its start, and another task may have killed it. */
  #takePrepared(env: Record<string, string>): ChildProcess | undefined {
    const prepared = this.#prepared
    if (env.NODE_OPTIONS !== undefined) return undefined
    this.#prepared = undefined
    const alive = prepared?.pid !== undefined && prepared.exitCode === null && prepared.signalCode === null
    return alive ? prepared : undefined
  }

  /** Keeps the last answer, and ends a child that has answered and does not end by itself. */
  #readAnswers(child: ChildProcess, wire: Socket): () => ViteAnswer | undefined {
    const reader = new FrameReader()
    let answer: ViteAnswer | undefined
    wire.on('error', () => wire.destroy())
    wire.on('data', (bytes: Buffer) => {
      try {
        for (const frame of reader.read(bytes)) answer = JSON.parse(frame.body.toString('utf8')) as ViteAnswer
        if (answer) setTimeout(() => child.kill('SIGKILL'), IDLE_GRACE_MS).unref()
      } catch {
        // The project's code wrote here; a build that cannot be told from a broken one has failed.
        child.kill('SIGKILL')
      }
    })
    return () => answer
  }

  #startVite(env: Record<string, string>): ChildProcess {
    return spawn(
      process.execPath,
      [...this.#settings.nodeFlags, join(import.meta.dirname, 'entry-vite.js')],
      {
        cwd: '/app',
        env: { ...this.#environment('/app'), ...env },
        stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      },
    )
  }

  async #watch(id: number, child: ChildProcess): Promise<TaskEnd> {
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
  #environment(cwd: string): Record<string, string> {
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
}

async function ended(child: ChildProcess): Promise<TaskEnd> {
  try {
    const [exitCode, signal] = (await once(child, 'exit')) as [number | null, string | null]
    return { exitCode, signal, errors: [] }
  } catch (error) {
    return { exitCode: NOTHING_STARTED, signal: null, errors: [{ message: (error as Error).message }] }
  }
}
