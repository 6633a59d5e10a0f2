import type { InputEntry, WorkerError } from '../model/worker.ts'
import type { Channel } from './channel.ts'
import type { CheckedMessage } from './child-message.ts'
import { inputError, sendEntries } from './input.ts'
import { type HostMessage, ProtocolError } from './protocol.ts'

export interface InputsParts {
  channel: Channel
  nextId: () => number
  /** Half of something was sent: the channel is out of step. */
  onBroken: (what: string) => void
}

/** Paths of one message, which holds at most 1 MiB. */
const MAX_PATHS = 500

/**
 * What goes into a worker. Whatever changes its files, and what tells of it, is sent in the order in which it was
 * asked for; the child does it in that order, so that no answer has to be waited for in between.
 */
export class Inputs {
  readonly #parts: InputsParts
  readonly #waiting = new Map<number, (failure: WorkerError | undefined) => void>()
  #turn: Promise<unknown> = Promise.resolve()
  #ended: WorkerError | undefined

  constructor(parts: InputsParts) {
    this.#parts = parts
  }

  async put(entries: Iterable<InputEntry> | AsyncIterable<InputEntry>): Promise<void> {
    const { channel, onBroken } = this.#parts
    await this.#change(async (id) => {
      try {
        if (await sendEntries(channel, id, entries)) await channel.send({ type: 'put-end', id })
      } catch (error) {
        onBroken('half of an input')
        throw error
      }
    })
  }

  async remove(paths: readonly string[]): Promise<void> {
    const removals: Promise<void>[] = []
    for (let start = 0; start < paths.length; start += MAX_PATHS) {
      const part = paths.slice(start, start + MAX_PATHS)
      removals.push(this.#change((id) => this.#parts.channel.send({ type: 'remove', id, paths: part })))
    }
    await Promise.all(removals)
  }

  /** Loads the tools that a folder finds. */
  async rehearse(cwd: string, timeoutMs: number): Promise<void> {
    await this.#change((id) => this.#parts.channel.send({ type: 'rehearse', id, cwd, timeoutMs }))
  }

  /** After what was asked for before; resolves when it is sent. */
  async send(message: HostMessage): Promise<void> {
    await this.#inTurn(() => this.#parts.channel.send(message))
  }

  receive({ id, failure }: Extract<CheckedMessage, { type: 'put-done' }>): void {
    const settle = this.#waiting.get(id)
    if (!settle) throw new ProtocolError('an answer to no input')
    this.#waiting.delete(id)
    settle(failure && inputError(failure))
  }

  end(cause: WorkerError): void {
    this.#ended = cause
    for (const settle of this.#waiting.values()) settle(cause)
    this.#waiting.clear()
  }

  /** Resolves when the child has done it. */
  async #change(send: (id: number) => Promise<unknown>): Promise<void> {
    const { promise: done, resolve, reject } = Promise.withResolvers<void>()
    // Rejected also while the rest is still being sent.
    done.catch(() => undefined)
    await this.#inTurn(async () => {
      if (this.#ended) throw this.#ended
      const id = this.#parts.nextId()
      this.#waiting.set(id, (failure) => (failure ? reject(failure) : resolve()))
      await send(id)
    })
    await done
  }

  async #inTurn(send: () => Promise<unknown>): Promise<void> {
    const turn = this.#turn.then(send)
    this.#turn = turn.catch(() => undefined)
    await turn
  }
}
