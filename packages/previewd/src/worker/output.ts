import { type OutputEntry, type OutputLimits, WorkerError } from '../model/worker.ts'
import type { Channel } from './channel.ts'
import type { CheckedMessage } from './child-message.ts'
import { MAX_PATH_BYTES, ProtocolError } from './protocol.ts'

type EntryMessage = Extract<CheckedMessage, { type: 'entry' }>
type EndMessage = Extract<CheckedMessage, { type: 'collect-end' }>
type Item = { entry: EntryMessage } | { chunk: Buffer } | { end: EndMessage } | { failure: WorkerError }

const PAUSE_ABOVE_BYTES = 4 * 1024 * 1024
const ITEM_BYTES = 256

/**
 * Receives one output tree. What the child says is checked here: paths, their order (which rules out doubles), that
 * no file is also a folder, counts and sizes. A consumer that is slow stops the channel, and with it the child.
 */
export class OutputReceiver {
  readonly id: number
  readonly #channel: Channel
  readonly #limits: OutputLimits
  readonly #items: Item[] = []
  #queuedBytes = 0
  #wake: (() => void) | undefined
  #discarding = false
  #files = 0
  #bytes = 0
  #lastPath = ''
  readonly #paths = new Set<string>()

  constructor(id: number, channel: Channel, limits: OutputLimits) {
    this.id = id
    this.#channel = channel
    this.#limits = limits
  }

  push(item: Item): void {
    if (this.#discarding) return
    this.#items.push(item)
    this.#queuedBytes += 'chunk' in item ? item.chunk.length : ITEM_BYTES
    if (this.#queuedBytes > PAUSE_ABOVE_BYTES) this.#channel.pause()
    this.#wake?.()
  }

  /** Drops what is queued and what still comes. */
  discard(): void {
    this.#discarding = true
    this.#items.length = 0
    this.#channel.resume()
  }

  /** Throws WorkerError for what the caller may see, ProtocolError for what must end the worker. */
  async *entries(): AsyncGenerator<OutputEntry> {
    for (;;) {
      const item = await this.#next()
      if ('end' in item) {
        if (item.end.failure) throw failureOf(item.end.failure)
        return
      }
      if (!('entry' in item)) throw new ProtocolError('content that belongs to no file')
      const { entry } = item
      this.#check(entry)
      if (entry.kind === 'link') {
        yield { kind: 'link', path: entry.path, target: entry.target }
        continue
      }
      const content = this.#content(entry.size)
      yield { kind: 'file', path: entry.path, size: entry.size, executable: entry.executable, content }
      for await (const _ of content);
    }
  }

  async *#content(size: number): AsyncGenerator<Buffer> {
    let missing = size
    while (missing > 0) {
      const item = await this.#next()
      if ('end' in item && item.end.failure) throw failureOf(item.end.failure)
      if (!('chunk' in item) || item.chunk.length > missing) throw new ProtocolError('a file of another size')
      missing -= item.chunk.length
      yield item.chunk
    }
  }

  #check(entry: EntryMessage): void {
    const { path } = entry
    if (!isPlainPath(path)) throw new ProtocolError(`the output path ${JSON.stringify(path.slice(0, 100))}`)
    if (path <= this.#lastPath) throw new ProtocolError('output paths out of order')
    this.#lastPath = path
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
      if (this.#paths.has(path.slice(0, end))) throw new ProtocolError('an output path below a file')
    }
    this.#files += 1
    if (this.#files > this.#limits.files) {
      throw new WorkerError('too_many_files', `The output has more than ${this.#limits.files} files.`)
    }
    this.#paths.add(path)
    this.#bytes += entry.kind === 'file' ? entry.size : entry.target.length
    if (this.#bytes > this.#limits.bytes) {
      throw new WorkerError('too_many_bytes', `The output has more than ${this.#limits.bytes} bytes.`)
    }
  }

  async #next(): Promise<Item> {
    while (this.#items.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const item = this.#items.shift() as Item
    if ('failure' in item) throw item.failure
    this.#queuedBytes -= 'chunk' in item ? item.chunk.length : ITEM_BYTES
    if (this.#queuedBytes <= PAUSE_ABOVE_BYTES / 2) this.#channel.resume()
    return item
  }
}

function failureOf(failure: { reason: 'missing_output' | 'special_file' | 'unreadable'; detail: string }) {
  return new WorkerError(failure.reason === 'unreadable' ? 'violation' : failure.reason, failure.detail)
}

function isPlainPath(path: string): boolean {
  if (path === '' || path.includes('\0') || !path.isWellFormed() || Buffer.byteLength(path) > MAX_PATH_BYTES)
    return false
  return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}
