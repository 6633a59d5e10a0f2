import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { PreviewdError } from '../errors.ts'
import { tooLarge } from './limited-body.ts'

/** Sources pack to a fifth or a tenth; what unpacks to a hundred times its size, and to more than this, is a bomb. */
const RATIO = 100
const RATIO_COUNTS_FROM_BYTES = 16 * 1024 * 1024

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
