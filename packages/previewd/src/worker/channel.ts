import type { Socket } from 'node:net'
import { type CheckedMessage, parseChildMessage } from './child-message.ts'
import {
  encodeFrame,
  encodeMessage,
  FRAME_CHUNK,
  FRAME_MESSAGE,
  FrameReader,
  type HostMessage,
  ProtocolError,
} from './protocol.ts'

export interface ChannelEvents {
  message(message: CheckedMessage): void
  chunk(bytes: Buffer): void
  /** Once, when nothing more will come; with the error where the child broke the protocol. */
  end(violation?: ProtocolError): void
}

/** The host's end of a worker's channel. */
export class Channel {
  readonly #socket: Socket
  #ended = false

  constructor(socket: Socket, events: ChannelEvents) {
    this.#socket = socket
    const reader = new FrameReader()
    const end = (violation?: ProtocolError) => {
      if (this.#ended) return
      this.#ended = true
      socket.destroy()
      events.end(violation)
    }
    socket.on('data', (bytes: Buffer) => {
      try {
        for (const frame of reader.read(bytes)) {
          if (this.#ended) return
          if (frame.kind === FRAME_MESSAGE) events.message(parseChildMessage(frame.body))
          else events.chunk(frame.body)
        }
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
        end(error)
      }
    })
    socket.on('error', () => end())
    socket.on('close', () => end())
  }

  /** Resolves when the socket takes more; false when the channel has ended. */
  async send(message: HostMessage): Promise<boolean> {
    return this.#write(encodeMessage(message))
  }

  async sendChunk(bytes: Buffer): Promise<boolean> {
    return this.#write(encodeFrame(FRAME_CHUNK, bytes))
  }

  /** Stops reading, so that the child has to wait. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#ended) this.#socket.resume()
  }

  /** Takes nothing more from the child, whose end stays open: it must not end before it is ended. */
  ignore(): void {
    this.#ended = true
    this.#socket.pause()
  }

  close(): void {
    this.#socket.destroy()
  }

  async #write(bytes: Buffer): Promise<boolean> {
    if (this.#ended) return false
    if (this.#socket.write(bytes)) return true
    return new Promise<boolean>((resolve) => {
      const settle = () => {
        this.#socket.off('drain', settle)
        this.#socket.off('close', settle)
        resolve(!this.#ended)
      }
      this.#socket.on('drain', settle)
      this.#socket.on('close', settle)
    })
  }
}
