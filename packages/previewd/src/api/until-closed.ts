import type { FastifyReply } from 'fastify'

/** Aborts when the client goes, the answer is complete, or the server closes. */
export function untilClosed(reply: FastifyReply, closing: AbortSignal): AbortSignal {
  const gone = new AbortController()
  const abort = () => {
    gone.abort()
    closing.removeEventListener('abort', abort)
  }
  reply.raw.once('close', abort)
  closing.addEventListener('abort', abort, { once: true })
  if (closing.aborted) gone.abort()
  return gone.signal
}
