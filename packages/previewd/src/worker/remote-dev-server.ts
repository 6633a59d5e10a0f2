import type { FileChange } from '../model/files.ts'
import {
  type DevServer,
  type DevUpdate,
  type ModuleOfPage,
  type TaskOutcome,
  WorkerError,
} from '../model/worker.ts'
import type { CheckedMessage } from './child-message.ts'
import { type HostMessage, ProtocolError } from './protocol.ts'

const DEV_MESSAGES = ['serving', 'rebundled', 'changed', 'freshened', 'modules'] as const
type DevMessage = Extract<CheckedMessage, { type: (typeof DEV_MESSAGES)[number] }>
type Answer = Exclude<DevMessage, { type: 'serving' | 'rebundled' }>
type Question =
  | { type: 'change'; revision: number | null; changed: FileChange[]; reload: boolean }
  | { type: 'freshen' }
  | { type: 'modules' }
const ANSWERS = { change: 'changed', freshen: 'freshened', modules: 'modules' } as const
type AnswerTo<Q extends Question> = Extract<Answer, { type: (typeof ANSWERS)[Q['type']] }>

export interface RemoteDevServerParts {
  /** Of its task. */
  id: number
  socket: string
  ended: Promise<TaskOutcome>
  /** After the files that were sent before. */
  send: (message: HostMessage) => Promise<unknown>
}

/** Paths of a batch that are told one by one; a larger batch would not fit into a message. */
const MAX_PATHS = 500

export function isOfDevServer(message: CheckedMessage): message is DevMessage {
  return (DEV_MESSAGES as readonly string[]).includes(message.type)
}

/** The host's view of the dev server in a worker. */
export class RemoteDevServer implements DevServer {
  readonly socket: string
  readonly ended: Promise<TaskOutcome>
  readonly serving: Promise<DevServer>
  readonly rebundled: Promise<void>
  readonly #parts: RemoteDevServerParts
  readonly #startServing: (server: DevServer) => void
  readonly #tellRebundled: () => void
  #bundle: string | undefined
  /** What was asked and not answered yet; one at a time. */
  #asked:
    | {
        id: number
        answer: Answer['type']
        resolve: (answer: Answer) => void
        reject: (cause: Error) => void
      }
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
    const rebundled = Promise.withResolvers<void>()
    this.rebundled = rebundled.promise
    this.#tellRebundled = rebundled.resolve
    void parts.ended.then(() => this.end(new WorkerError('ended', 'The dev server has ended.')))
  }

  get bundle(): string | undefined {
    return this.#bundle
  }

  async update(
    revision: number | null,
    changed: readonly FileChange[],
    { reload = false }: { reload?: boolean } = {},
  ): Promise<Omit<DevUpdate, 'revision'>> {
    return await this.#inTurn(async () => {
      let last: Omit<DevUpdate, 'revision'> = { kind: 'none', errors: [] }
      for (let start = 0; start === 0 || start < changed.length; start += MAX_PATHS) {
        const part = changed.slice(start, start + MAX_PATHS)
        const { kind, errors } = await this.#ask({ type: 'change', revision, changed: part, reload })
        last = { kind, errors }
      }
      return last
    })
  }

  async freshen(): Promise<string | undefined> {
    return await this.#inTurn(async () => {
      const { bundle } = await this.#ask({ type: 'freshen' })
      return bundle
    })
  }

  async modules(): Promise<ModuleOfPage[] | undefined> {
    return await this.#inTurn(async () => {
      const { modules } = await this.#ask({ type: 'modules' })
      return modules
    })
  }

  receive(message: DevMessage): void {
    if (message.type === 'serving' || message.type === 'rebundled') {
      if (message.id !== this.#parts.id) throw new ProtocolError('words of another dev server')
      if (message.type === 'rebundled') this.#tellRebundled()
      else {
        this.#bundle = message.bundle
        this.#startServing(this)
      }
      return
    }
    if (message.id !== this.#asked?.id || message.type !== this.#asked.answer)
      throw new ProtocolError('an answer to no question')
    const { resolve } = this.#asked
    this.#asked = undefined
    resolve(message)
  }

  end(cause: WorkerError): void {
    this.#cause ??= cause
    this.#asked?.reject(cause)
    this.#asked = undefined
  }

  async #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(action)
    this.#turn = turn.catch(() => undefined)
    return await turn
  }

  async #ask<Q extends Question>(question: Q): Promise<AnswerTo<Q>> {
    if (this.#cause) throw this.#cause
    const id = this.#nextId++
    const coming = new Promise<Answer>((resolve, reject) => {
      this.#asked = { id, answer: ANSWERS[question.type], resolve, reject }
    })
    // Side by side: it may end before the question is sent, behind files that are many.
    const [answered] = await Promise.all([coming, this.#parts.send({ ...question, id })])
    return answered as AnswerTo<Q>
  }
}
