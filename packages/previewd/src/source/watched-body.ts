import type { Readable } from 'node:stream'
import { PreviewdError } from '../errors.ts'

/**
 * The bytes of a body, which have to be `sizeBytes` and to keep coming: one that is silent for `timeoutMs`, breaks or
 * ends too early throws SOURCE_UNREACHABLE with the reason. Whoever ends the iteration lets go of the connection.
 */
export function watchedBody(body: Readable, limits: BodyLimits): AsyncIterable<Buffer> {
  // A connection that breaks before anybody reads must not end the server; whoever reads hears of it.
  body.on('error', () => undefined)
  return {
    [Symbol.asyncIterator]() {
      const chunks = watch(body, limits)
      return {
        next: () => chunks.next(),
        return: () => {
          // A generator that has not begun would end without its clean-up.
          body.destroy()
          return chunks.return()
        },
      }
    },
  }
}

async function* watch(
  body: Readable,
  { sizeBytes, timeoutMs, signal, of }: BodyLimits,
): AsyncGenerator<Buffer, void, undefined> {
  let doneBytes = 0
  let reason = 'the connection broke'
  const timer = setTimeout(() => {
    reason = `it was silent for ${timeoutMs} ms`
    body.destroy(new Error(reason))
  }, timeoutMs)
  const abort = () => body.destroy(new Error('it was given up'))
  signal.addEventListener('abort', abort, { once: true })
  try {
    for await (const chunk of body) {
      timer.refresh()
      doneBytes += (chunk as Buffer).length
      if (doneBytes > sizeBytes) break
      yield chunk as Buffer
    }
  } catch {
    signal.throwIfAborted()
    // What the SDK says may hold a signed address.
    throw cutShort(of, reason)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
    body.destroy()
  }
  if (doneBytes !== sizeBytes) throw cutShort(of, `it ended at byte ${doneBytes} of ${sizeBytes}`)
}

function cutShort({ service, path }: BodyLimits['of'], reason: string): PreviewdError {
  return new PreviewdError('SOURCE_UNREACHABLE', `${service} sent "${path}" only in part: ${reason}.`)
}

interface BodyLimits {
  sizeBytes: number
  timeoutMs: number
  signal: AbortSignal
  /** For the words of an error. */
  of: { service: string; path: string }
}
