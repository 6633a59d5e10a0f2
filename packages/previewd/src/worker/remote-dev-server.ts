import type { FileChange } from '../model/files.ts'
import { type DevServer, type DevUpdate, type TaskOutcome, WorkerError } from '../model/worker.ts'
import type { Channel } from './channel.ts'
import type { CheckedMessage } from './child-message.ts'
import { ProtocolError } from './protocol.ts'

type DevMessage = Extract<CheckedMessage, { type: 'serving' | 'changed' }>

export interface RemoteDevServerParts {
  /** Of its task. */
  id: number
  socket: string
  ended: Promise<TaskOutcome>
  channel: Channel
}

/** Paths of a batch that are told one by one; a larger batch would not fit into a message. */
const MAX_PATHS = 500

/** The host's view of the dev server in a worker. */
export class RemoteDevServer implements DevServer {
  readonly socket: string
  readonly ended: Promise<TaskOutcome>
  readonly serving: Promise<DevServer>
  readonly #parts: RemoteDevServerParts
  readonly #startServing: (server: DevServer) => void
  #update:
    | { id: number; resolve: (update: Omit<DevUpdate, 'revision'>) => void; reject: (cause: Error) => void }
    | undefined
  #nextId = 1
  #turn: Promise<unknown> = Promise.resolve()
  #cause: WorkerError | undefined

  constructor(parts: RemoteDevServerParts) {
    this.#parts = parts
    this.socket = parts.socket
    this.ended = parts.ended
    const { promise, resolve } = Promise.withResolvers<DevServer>()
    this.serving = promise
    this.#startServing = resolve
    void parts.ended.then(() => this.end(new WorkerError('ended', 'The dev server has ended.')))
  }

  async update(revision: number, changed: readonly FileChange[]): Promise<DevUpdate> {
    const turn = this.#turn.then(async () => {
      let last: Omit<DevUpdate, 'revision'> = { kind: 'none', errors: [] }
      for (let start = 0; start === 0 || start < changed.length; start += MAX_PATHS) {
        last = await this.#tell(revision, changed.slice(start, start + MAX_PATHS))
      }
      return { revision, ...last }
    })
    this.#turn = turn.catch(() => undefined)
    return await turn
  }

  receive(message: DevMessage): void {
    if (message.type === 'serving') {
      if (message.id !== this.#parts.id) throw new ProtocolError('words of another dev server')
      this.#startServing(this)
      return
    }
    if (message.id !== this.#update?.id) throw new ProtocolError('an answer to no change')
    const { resolve } = this.#update
    this.#update = undefined
    resolve({ kind: message.kind, errors: message.errors })
  }

  end(cause: WorkerError): void {
    this.#cause ??= cause
    this.#update?.reject(cause)
    this.#update = undefined
  }

  async #tell(revision: number, changed: FileChange[]): Promise<Omit<DevUpdate, 'revision'>> {
    if (this.#cause) throw this.#cause
    const id = this.#nextId++
    const answered = new Promise<Omit<DevUpdate, 'revision'>>((resolve, reject) => {
      this.#update = { id, resolve, reject }
    })
    await this.#parts.channel.send({ type: 'change', id, revision, changed })
    return await answered
  }
}
