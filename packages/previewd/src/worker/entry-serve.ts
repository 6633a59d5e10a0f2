import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { EntryChannel } from './entry-channel.ts'
import type { DevAnswer, DevRequest } from './entry-dev.ts'
import { type Programs, sendOnWire } from './entry-programs.ts'
import { FrameReader, type HostMessage, LISTENING_FD, type ServeRequest } from './protocol.ts'

const ASK_AGAIN_MS = 25

/** The dev server of a session: started, told of changes, and reached at the socket that the host bound. */
export class DevServerRunner {
  readonly #channel: EntryChannel
  readonly #programs: Programs
  #wire: Socket | undefined
  #ended = false

  constructor(channel: EntryChannel, programs: Programs) {
    this.#channel = channel
    this.#programs = programs
  }

  async serve(id: number, task: ServeRequest): Promise<void> {
    const child =
      task.kind === 'vite-dev'
        ? this.#programs.node('dev', task.env)
        : this.#programs.start('/bin/sh', ['-c', task.command], task.cwd, task.env)
    const errors: DevAnswer & { type: 'failed' } = { type: 'failed', errors: [] }
    if (task.kind === 'vite-dev') {
      this.#wire = child.stdio[3] as Socket
      this.#readAnswers(id, task.port, this.#wire, (failed) => {
        errors.errors = failed.errors
        child.kill('SIGKILL')
      })
      const { kind: _, ...place } = task
      const env = { ...this.#programs.environment(task.cwd), ...task.env }
      sendOnWire(this.#wire, { type: 'start', ...place, env } satisfies DevRequest)
    } else {
      void this.#untilAnswering(id, task.port)
    }
    const end = await this.#programs.watch(id, child)
    this.#ended = true
    const failed = errors.errors.length > 0
    this.#channel.send({
      type: 'task-end',
      id,
      ...(failed ? { exitCode: 1, signal: null, errors: errors.errors } : end),
    })
  }

  change({ type: _, ...change }: HostMessage & { type: 'change' }): void {
    if (this.#wire) sendOnWire(this.#wire, { type: 'update', ...change } satisfies DevRequest)
    // A server with a watcher of its own sees the files by itself.
    else this.#channel.send({ type: 'changed', id: change.id, kind: 'hmr', errors: [] })
  }

  freshen(id: number): void {
    if (this.#wire) sendOnWire(this.#wire, { type: 'freshen', id } satisfies DevRequest)
    else this.#channel.send({ type: 'freshened', id })
  }

  tellModules(id: number): void {
    if (this.#wire) sendOnWire(this.#wire, { type: 'modules', id } satisfies DevRequest)
    else this.#channel.send({ type: 'modules', id })
  }

  #readAnswers(
    id: number,
    port: number,
    wire: Socket,
    onFailed: (answer: DevAnswer & { type: 'failed' }) => void,
  ) {
    const reader = new FrameReader()
    wire.on('error', () => wire.destroy())
    wire.on('data', (bytes: Buffer) => {
      try {
        for (const frame of reader.read(bytes)) {
          const answer = JSON.parse(frame.body.toString('utf8')) as DevAnswer
          if (answer.type === 'listening') this.#reach(id, port, answer)
          else if (answer.type === 'failed') onFailed(answer)
          else if (answer.type === 'updated') {
            const { id, kind, errors } = answer
            this.#channel.send({ type: 'changed', id, kind, errors })
          } else if (answer.type === 'rebundled') this.#channel.send({ ...answer, id })
          else if (answer.type === 'freshened' || answer.type === 'modules') this.#channel.send(answer)
        }
      } catch (error) {
        // The project's code wrote here: nothing of this server can be believed any more.
        onFailed({ type: 'failed', errors: [{ message: (error as Error).message }] })
      }
    })
  }

  /** A command does not say when its server listens. */
  async #untilAnswering(id: number, port: number): Promise<void> {
    while (!this.#ended) {
      if (await answers(port)) return this.#join(id, port)
      await delay(ASK_AGAIN_MS)
    }
  }

  #reach(id: number, port: number, { accepts, bundle }: DevAnswer & { type: 'listening' }): void {
    if (accepts) this.#channel.send({ type: 'serving', id, ...(bundle === undefined ? {} : { bundle }) })
    else this.#join(id, port, bundle)
  }

  #join(id: number, port: number, bundle?: string): void {
    const server = createServer({ allowHalfOpen: true }, (outside) => joinTo(outside, port))
    const serving = { type: 'serving' as const, id, ...(bundle === undefined ? {} : { bundle }) }
    server.listen({ fd: LISTENING_FD }, () => this.#channel.send(serving))
  }
}

/** Joins a connection to a port of the sandbox's own loopback. */
function joinTo(outside: Socket, port: number): void {
  const inside = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
  inside.on('error', () => outside.destroy())
  outside.on('error', () => inside.destroy())
  inside.on('close', () => outside.destroy())
  outside.on('close', () => inside.destroy())
  inside.pipe(outside)
  outside.pipe(inside)
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => socket.destroy())
    socket.once('connect', () => socket.destroy())
  })
}
