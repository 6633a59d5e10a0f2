import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'

const HEARTBEAT_MS = 15_000
const RETRY_MS = 1000

export interface SseMessage {
  event: string
  id?: number | string
  data: unknown
}

/**
 * Sends server-sent events until `messages` ends or the client goes; `messages` is returned then. The stream is pulled
 * at the client's pace, so whoever makes the messages has to bound what waits. Format: WHATWG HTML, 9.2.
 */
export function sendEvents(reply: FastifyReply, messages: AsyncIterable<SseMessage>): FastifyReply {
  return reply
    .headers({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // nginx would hold events back.
      'x-accel-buffering': 'no',
      // A stream that ends while the server closes must not leave a connection that is open and idle.
      connection: 'close',
    })
    .send(Readable.from(encode(messages), { objectMode: false }))
}

async function* encode(messages: AsyncIterable<SseMessage>): AsyncGenerator<string> {
  yield `retry: ${RETRY_MS}\n\n`
  const iterator = messages[Symbol.asyncIterator]()
  let next = iterator.next()
  try {
    for (;;) {
      const result = await orHeartbeat(next)
      if (result === 'heartbeat') {
        yield ': still here\n\n'
        continue
      }
      if (result.done) return
      yield format(result.value)
      next = iterator.next()
    }
  } finally {
    await iterator.return?.()
  }
}

async function orHeartbeat<T>(next: Promise<T>): Promise<T | 'heartbeat'> {
  const beat = Promise.withResolvers<'heartbeat'>()
  const timer = setTimeout(() => beat.resolve('heartbeat'), HEARTBEAT_MS)
  try {
    return await Promise.race([next, beat.promise])
  } finally {
    clearTimeout(timer)
  }
}

function format({ event, id, data }: SseMessage): string {
  const idLine = id === undefined ? '' : `id: ${id}\n`
  return `event: ${event}\n${idLine}data: ${JSON.stringify(data ?? null)}\n\n`
}
