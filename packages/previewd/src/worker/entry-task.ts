import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import type { EntryChannel } from './entry-channel.ts'
import { type Programs, sendOnWire, type TaskEnd } from './entry-programs.ts'
import type { ViteAnswer, ViteRequest } from './entry-vite.ts'
import { FrameReader, type TaskRequest } from './protocol.ts'

type ViteTask = TaskRequest & { kind: 'vite-build' }
type ExecTask = TaskRequest & { kind: 'exec' }

/** How long a finished build may go on with work that it did not wait for. */
const IDLE_GRACE_MS = 1_000

/** Runs tasks as children of the entry, so that it can still speak when they exit, loop or crash. */
export class TaskRunner {
  readonly #channel: EntryChannel
  readonly #programs: Programs

  constructor(channel: EntryChannel, programs: Programs) {
    this.#channel = channel
    this.#programs = programs
  }

  async run(id: number, task: TaskRequest): Promise<void> {
    const end = await (task.kind === 'exec' ? this.#exec(id, task) : this.#viteBuild(id, task))
    this.#channel.send({ type: 'task-end', id, ...end })
  }

  async #exec(id: number, { file, args, cwd, env }: ExecTask): Promise<TaskEnd> {
    return await this.#programs.watch(id, this.#programs.start(file, args, cwd, env))
  }

  async #viteBuild(id: number, { cwd, options, env }: ViteTask): Promise<TaskEnd> {
    const child = this.#programs.node('build', env)
    const wire = child.stdio[3] as Socket
    const answered = this.#readAnswers(child, wire)
    const request: ViteRequest = {
      type: 'build',
      cwd,
      options,
      env: { ...this.#programs.environment(cwd), ...env },
    }
    sendOnWire(wire, request)
    const end = await this.#programs.watch(id, child)
    const answer = answered()
    if (answer?.type === 'failed') return { exitCode: 1, signal: null, errors: answer.errors }
    if (answer?.type === 'built') return { exitCode: 0, signal: null, errors: [], outDir: answer.outDir }
    const message = 'The build ended its process before it was done.'
    return { ...end, exitCode: end.exitCode || null, errors: [...end.errors, { message }] }
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
}
