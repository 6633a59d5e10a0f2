import { Socket } from 'node:net'
import {
  CHANNEL_FD,
  type ChildMessage,
  encodeFrame,
  encodeMessage,
  FRAME_CHUNK,
  FRAME_MESSAGE,
  FrameReader,
  type HostMessage,
} from './protocol.ts'

/** The child's end of the channel. When the host closes it, everything here ends. */
export class EntryChannel {
  readonly #socket = new Socket({ fd: CHANNEL_FD, readable: true, writable: true })
  #held: Buffer[] = []
  #heldBytes = 0

  listen(onMessage: (message: HostMessage) => void, onChunk: (bytes: Buffer) => void): void {
    const reader = new FrameReader()
    this.#socket.on('data', (bytes: Buffer) => {
      for (const frame of reader.read(bytes)) {
        if (frame.kind === FRAME_MESSAGE) onMessage(JSON.parse(frame.body.toString('utf8')) as HostMessage)
        else onChunk(frame.body)
      }
    })
    this.#socket.on('close', () => process.exit(0))
    this.#socket.on('error', () => process.exit(0))
  }

  /** False when the host is behind: wait for `drained` then. */
  send(message: ChildMessage): boolean {
    return this.#socket.write(encodeMessage(message))
  }

  /** Frames that may wait for others, so that many small ones are one write; `flush` sends them. */
  hold(content: ChildMessage | Buffer): void {
    const frame = Buffer.isBuffer(content) ? encodeFrame(FRAME_CHUNK, content) : encodeMessage(content)
    this.#held.push(frame)
    this.#heldBytes += frame.length
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Resolves when the host is not behind. */
  async flush(): Promise<void> {
    if (this.#held.length === 0) return
    const bytes = Buffer.concat(this.#held)
    this.#held = []
    this.#heldBytes = 0
    if (!this.#socket.write(bytes)) await this.drained()
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.once('drain', resolve)
    })
  }
}
