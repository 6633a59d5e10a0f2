import type { CallOptions } from './options.ts'
import type { Session } from './protocol.ts'

/** What a session needs of its project. */
export interface SessionOwner {
  startSession(options?: CallOptions): Promise<LiveSession>
  stopSession(options?: CallOptions): Promise<void>
}

/** A live dev server of a project; `await using` stops it at the end of the block. */
export class LiveSession implements AsyncDisposable {
  /** As it was when it was asked for. */
  readonly info: Session
  readonly #owner: SessionOwner

  constructor(owner: SessionOwner, info: Session) {
    this.#owner = owner
    this.info = info
  }

  /** Asks for it again: a session that nobody uses goes to sleep. */
  keepAlive(options: CallOptions = {}): Promise<LiveSession> {
    return this.#owner.startSession(options)
  }

  stop(options: CallOptions = {}): Promise<void> {
    return this.#owner.stopSession(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}
