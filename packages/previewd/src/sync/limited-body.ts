import type { Readable } from 'node:stream'
import { PreviewdError } from '../errors.ts'

/**
 * The chunks of a body up to a number of bytes, then PAYLOAD_TOO_LARGE. The stream is not destroyed when the reader
 * stops early: it is the client's connection, which still has to carry the answer.
 */
export async function* limitedBody(
  body: Readable,
  limitBytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  let sizeBytes = 0
  try {
    for await (const chunk of body.iterator({ destroyOnReturn: false })) {
      sizeBytes += (chunk as Buffer).length
      if (sizeBytes > limitBytes) throw tooLarge(limitBytes)
      yield chunk as Buffer
    }
  } catch (error) {
    if (error instanceof PreviewdError) throw error
    throw new PreviewdError('BAD_REQUEST', 'The body ended before it was complete.', { cause: error })
  }
}

export function tooLarge(limitBytes: number): PreviewdError {
  return new PreviewdError('PAYLOAD_TOO_LARGE', `The body is larger than ${limitBytes} bytes.`)
}
