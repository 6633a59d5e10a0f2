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

  sendChunk(bytes: Buffer): boolean {
    return this.#socket.write(encodeFrame(FRAME_CHUNK, bytes))
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.once('drain', resolve)
    })
  }
}
