/**
 * The channel between the two halves of a worker: frames over a socket pair. A frame is a length (4 bytes, big
 * endian), a kind (1 byte) and that many bytes: a JSON message, or a chunk of the file that the message before it
 * named. Both halves import this file; it depends on nothing but Node.
 */
import type { FileChange } from '../model/files.ts'
import type { ModuleOfPage, ToolError, ViteBuildOptions } from '../model/worker.ts'

export const PROTOCOL_VERSION = 1
export const MAX_FRAME_BYTES = 1024 * 1024
/** Longest log line; longer ones are cut into pieces. */
export const MAX_LINE_BYTES = 8 * 1024
export const MAX_PATH_BYTES = 1024
/** Of the list of a dev server's modules, which is one message. */
export const MAX_GRAPH_BYTES = 900 * 1024
/** File descriptor of the channel in the child. */
export const CHANNEL_FD = 3
/** File descriptor of the listening socket in the child of a session. */
export const LISTENING_FD = 6
/** The same socket in the Node of a dev server, which accepts at it. */
export const DEV_LISTENING_FD = 4

export const FRAME_MESSAGE = 1
export const FRAME_CHUNK = 2
const HEADER_BYTES = 5

export type PutEntry =
  | { kind: 'file'; path: string; size: number; executable: boolean }
  | { kind: 'link'; path: string; target: string }

export type TaskRequest =
  | { kind: 'vite-build'; cwd: string; options: ViteBuildOptions; env: Record<string, string> }
  | { kind: 'exec'; file: string; args: string[]; cwd: string; env: Record<string, string> }

/** What runs in a session; it listens on the port on the sandbox's own loopback. */
export type ServeRequest = { port: number; cwd: string; env: Record<string, string> } & (
  | { kind: 'vite-dev'; mode?: string; revision: number; framework?: 'astro' | 'nuxt'; token?: string }
  | { kind: 'command-dev'; command: string }
)

export type HostMessage =
  | { type: 'init'; version: number; settings: ChildSettings }
  /** The chunks that follow are the content of the files among `entries`, one after the other. */
  | { type: 'put'; id: number; entries: PutEntry[] }
  | { type: 'put-end'; id: number }
  /** Answered with `put-done`, too. */
  | { type: 'remove'; id: number; paths: string[] }
  /** Before there is anything of a project: loads the tools that this folder finds. Answered with `put-done`, too. */
  | { type: 'rehearse'; id: number; cwd: string; timeoutMs: number }
  | { type: 'run'; id: number; task: TaskRequest }
  /** A task that goes on: connections to the listening socket are joined to its port once it answers. */
  | { type: 'serve'; id: number; task: ServeRequest }
  | { type: 'change'; id: number; revision: number | null; changed: FileChange[]; reload: boolean }
  | { type: 'freshen'; id: number }
  /** Which modules its pages have. Answered with the same. */
  | { type: 'modules'; id: number }
  | { type: 'collect'; id: number; directory: string }
  | { type: 'collect-cancel'; id: number }

export interface ChildSettings {
  logBytes: number
  /** Start the Node of this kind of task at once, so that it boots while files are put. */
  prepare: 'build' | 'dev' | 'none'
  /** Flags of every Node that runs project code. */
  nodeFlags: string[]
  bridge?: { socket: string; port: number }
}

export type CollectFailure = 'missing_output' | 'special_file' | 'unreadable'

export type ChildMessage =
  | { type: 'ready'; version: number }
  | { type: 'put-done'; id: number; failure?: { code: string; message: string } }
  | { type: 'log'; id: number; stream: 'stdout' | 'stderr'; lines: string[] }
  | { type: 'log-cut'; id: number }
  /** The dev server of this task answers. */
  | { type: 'serving'; id: number; bundle?: string }
  /** From then on, the addresses of modules of dependencies are others. */
  | { type: 'rebundled'; id: number; bundle: string }
  | { type: 'changed'; id: number; kind: 'none' | 'hmr' | 'reload' | 'restart'; errors: ToolError[] }
  | { type: 'freshened'; id: number; bundle?: string }
  | { type: 'modules'; id: number; modules?: ModuleOfPage[] }
  | {
      type: 'task-end'
      id: number
      exitCode: number | null
      signal: string | null
      errors: ToolError[]
      outDir?: string
    }
  /** The content of a file follows in chunks. */
  | { type: 'entry'; id: number; kind: 'file'; path: string; size: number; executable: boolean }
  | { type: 'entry'; id: number; kind: 'link'; path: string; target: string }
  | { type: 'collect-end'; id: number; failure?: { reason: CollectFailure; detail: string } }

export interface Frame {
  kind: number
  body: Buffer
}

/** A frame that breaks the rules; the channel cannot be used any more. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ProtocolError'
  }
}

export function encodeMessage(message: HostMessage | ChildMessage): Buffer {
  return encodeFrame(FRAME_MESSAGE, Buffer.from(JSON.stringify(message)))
}

export function encodeFrame(kind: number, body: Buffer): Buffer {
  if (body.length === 0 || body.length > MAX_FRAME_BYTES) {
    throw new ProtocolError(`a frame of ${body.length} bytes cannot be sent`)
  }
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length)
  frame.writeUInt32BE(body.length, 0)
  frame.writeUInt8(kind, 4)
  body.copy(frame, HEADER_BYTES)
  return frame
}

/**
 * Cuts a byte stream into frames. Holds at most one frame, however small the pieces are that it arrives in; frames
 * that arrive whole are views of what was read.
 */
export class FrameReader {
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerBytes = 0
  #bodyBytes = 0
  #body: Buffer | undefined;

  /** Throws ProtocolError as soon as a header announces what is not allowed, before its body is held. */
  *read(bytes: Buffer): Generator<Frame> {
    let rest = bytes
    while (rest.length > 0) {
      if (this.#headerBytes < HEADER_BYTES) {
        rest = this.#readHeader(rest)
        continue
      }
      const length = this.#header.readUInt32BE(0)
      if (this.#body === undefined && rest.length >= length) {
        yield this.#frame(rest.subarray(0, length))
        rest = rest.subarray(length)
        continue
      }
      this.#body ??= Buffer.allocUnsafe(length)
      const copied = rest.copy(this.#body, this.#bodyBytes)
      this.#bodyBytes += copied
      rest = rest.subarray(copied)
      if (this.#bodyBytes === length) yield this.#frame(this.#body)
    }
  }

  #readHeader(bytes: Buffer): Buffer {
    const copied = bytes.copy(this.#header, this.#headerBytes)
    this.#headerBytes += copied
    if (this.#headerBytes === HEADER_BYTES) {
      const length = this.#header.readUInt32BE(0)
      const kind = this.#header.readUInt8(4)
      if (length === 0 || length > MAX_FRAME_BYTES) throw new ProtocolError(`a frame of ${length} bytes`)
      if (kind !== FRAME_MESSAGE && kind !== FRAME_CHUNK) throw new ProtocolError(`a frame of kind ${kind}`)
    }
    return bytes.subarray(copied)
  }

  #frame(body: Buffer): Frame {
    this.#headerBytes = 0
    this.#body = undefined
    this.#bodyBytes = 0
    return { kind: this.#header.readUInt8(4), body }
  }
}
