import { once } from 'node:events'
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy'
import { PreviewdError } from '../errors.ts'
import type { ChangeCollector } from './change-collector.ts'
import { addDeletedList } from './read-json.ts'

/** Parts that say nothing about the path: the file name does then, as in `-F "files=@x;filename=src/x"`. */
const GENERIC_NAMES = new Set(['file', 'file[]', 'files', 'files[]'])
const MAX_FIELD_BYTES = 16 * 1024 * 1024
const MAX_PARTS_WAITING = 64

/**
 * Adds the parts of a multipart/form-data body: each part is a file and its name the path, but for the fields
 * `deleted` (a JSON list of paths, or one path, repeatable) and `baseRevision`.
 */
export async function readMultipart(
  source: AsyncIterable<Buffer>,
  contentType: string,
  collector: ChangeCollector,
): Promise<void> {
  const parser = createParser(contentType)
  const parts = new PartQueue(collector)
  parser.on('file', (name, stream, filename) => parts.addFile(name, stream, filename))
  parser.on('field', (name, value, _, truncated) => parts.addField(name, value, truncated))
  // Only the first error settles the promise below; the others that a broken body causes must not end the server.
  parser.on('error', () => undefined)
  const ended = once(parser, 'finish')
  // Awaited below; a failure before that must not count as unhandled.
  ended.catch(() => undefined)
  try {
    for await (const chunk of source) {
      await Promise.race([writeChunk(parser, chunk), parts.failed, ended])
      await parts.catchUp()
    }
    parser.end()
    await Promise.race([ended, parts.failed])
    await parts.done()
  } catch (error) {
    parser.destroy()
    await parts.abort()
    if (error instanceof PreviewdError || typeof (error as NodeJS.ErrnoException).errno === 'number')
      throw error
    throw new PreviewdError('BAD_REQUEST', 'The multipart body is damaged or ends too early.', {
      cause: error,
    })
  }
}

function createParser(contentType: string): BusboyInstance {
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      preservePath: true,
      limits: { fieldSize: MAX_FIELD_BYTES, headerPairs: 32, headerSize: 16 * 1024 },
      isPartAFile: (name, _type, filename) =>
        filename !== undefined || (name !== 'deleted' && name !== 'baseRevision'),
    })
  } catch (error) {
    throw new PreviewdError('BAD_REQUEST', 'The content type has no multipart boundary.', { cause: error })
  }
}

async function writeChunk(parser: BusboyInstance, chunk: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    parser.write(chunk, (error) => (error ? reject(error) : resolve()))
  })
}

/** Takes parts in their order. All but the newest are whole in memory already: a chunk can end many small ones. */
class PartQueue {
  /** Rejects when a part was refused. */
  readonly failed: Promise<never>
  readonly #collector: ChangeCollector
  readonly #fail: (error: unknown) => void
  readonly #streams = new Set<BusboyFileStream>()
  #tail: Promise<void> = Promise.resolve()
  #waiting = 0
  #catchUp: (() => void) | undefined

  constructor(collector: ChangeCollector) {
    this.#collector = collector
    const { promise, reject } = Promise.withResolvers<never>()
    promise.catch(() => undefined)
    this.failed = promise
    this.#fail = reject
  }

  addFile(name: string | undefined, stream: BusboyFileStream, filename: string | undefined): void {
    // When the body ends early, the parser fails each open part; without a listener that would end the server.
    stream.on('error', () => undefined)
    this.#streams.add(stream)
    this.#add(async () => {
      await this.#collector.addFile(pathOf(name, filename), stream as AsyncIterable<Buffer>)
      this.#streams.delete(stream)
    })
  }

  addField(name: string, value: string, truncated: boolean): void {
    this.#add(async () => {
      if (truncated) throw new PreviewdError('BAD_REQUEST', `The field "${name}" is too long.`)
      if (name === 'deleted') addDeletedField(this.#collector, value)
      else this.#collector.setBaseRevision(/^\d{1,15}$/.test(value) ? Number(value) : value)
    })
  }

  async catchUp(): Promise<void> {
    if (this.#waiting <= MAX_PARTS_WAITING) return
    await Promise.race([new Promise<void>((resolve) => (this.#catchUp = resolve)), this.failed])
  }

  async done(): Promise<void> {
    await Promise.race([this.#tail, this.failed])
  }

  /** Resolves when nothing is being spooled any more. */
  async abort(): Promise<void> {
    for (const stream of this.#streams) stream.destroy(new Error('The body was refused.'))
    await this.#tail.catch(() => undefined)
  }

  #add(task: () => Promise<void>): void {
    this.#waiting++
    this.#tail = this.#tail.then(task).then(() => {
      this.#waiting--
      // The newest part may need more of the body to end, so waiting for it as well would never end.
      if (this.#waiting <= 1) this.#catchUp?.()
    })
    this.#tail.catch(this.#fail)
  }
}

function pathOf(name: string | undefined, filename: string | undefined): string {
  const path = name === undefined || (GENERIC_NAMES.has(name) && filename !== undefined) ? filename : name
  if (path === undefined)
    throw new PreviewdError('BAD_REQUEST', 'A part of the body has neither name nor file name.')
  return path
}

function addDeletedField(collector: ChangeCollector, value: string): void {
  if (!value.startsWith('[')) {
    collector.addDeleted(value)
    return
  }
  let list: unknown
  try {
    list = JSON.parse(value)
  } catch (error) {
    throw new PreviewdError('INVALID_JSON', 'The field "deleted" is not a JSON list.', { cause: error })
  }
  addDeletedList(collector, list)
}
