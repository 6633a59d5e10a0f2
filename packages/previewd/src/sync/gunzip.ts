import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { PreviewdError } from '../errors.ts'
import { tooLarge } from './limited-body.ts'

/** Sources pack to a fifth or a tenth; what unpacks to a hundred times its size, and to more than this, is a bomb. */
const RATIO = 100
const RATIO_COUNTS_FROM_BYTES = 16 * 1024 * 1024

const MAGIC = Buffer.from([0x1f, 0x8b])

/** The same where the stream begins like gzip, else the stream as it is: `tar -cz` is often sent as a plain archive. */
export async function* gunzipIfGzipped(
  source: AsyncIterable<Buffer>,
  limitBytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  const chunks = source[Symbol.asyncIterator]()
  let start = Buffer.alloc(0)
  while (start.length < MAGIC.length) {
    const { done, value } = await chunks.next()
    if (done) break
    start = Buffer.concat([start, value])
  }
  async function* all() {
    yield start
    yield* { [Symbol.asyncIterator]: () => chunks }
  }
  if (start.subarray(0, MAGIC.length).equals(MAGIC)) yield* gunzip(all(), limitBytes)
  else yield* all()
}

/** The content of a gzip stream, up to a number of bytes; INVALID_ARCHIVE where it is damaged, PAYLOAD_TOO_LARGE. */
export async function* gunzip(
  source: AsyncIterable<Buffer>,
  limitBytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  let packedBytes = 0
  async function* counted() {
    for await (const chunk of source) {
      packedBytes += chunk.length
      yield chunk
    }
  }
  const input = Readable.from(counted())
  const output = createGunzip()
  input.on('error', (error) => output.destroy(error))
  input.pipe(output)
  let sizeBytes = 0
  try {
    for await (const chunk of output) {
      sizeBytes += (chunk as Buffer).length
      if (sizeBytes > limitBytes) throw tooLarge(limitBytes)
      if (sizeBytes > RATIO_COUNTS_FROM_BYTES && sizeBytes > RATIO * packedBytes) {
        throw new PreviewdError('PAYLOAD_TOO_LARGE', `The body unpacks to more than ${RATIO} times its size.`)
      }
      yield chunk as Buffer
    }
  } catch (error) {
    if (error instanceof PreviewdError) throw error
    throw new PreviewdError('INVALID_ARCHIVE', 'The gzip stream is damaged or ends too early.', {
      cause: error,
    })
  } finally {
    input.destroy()
  }
}
