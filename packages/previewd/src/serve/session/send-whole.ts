import type { IncomingMessage, ServerResponse } from 'node:http'
import { finished } from 'node:stream/promises'
import type { RoomPart } from '../../lib/byte-room.ts'
import { toCompressedHeaders } from './compress.ts'
import type { Compression } from './compress-whole.ts'
import type { ProjectAnswers } from './compressed-answers.ts'

/** Larger answers are compressed as they come. */
const MAX_WHOLE_BYTES = 4 * 1024 * 1024

/**
 * The length of an answer that its server had as a whole before it sent it: who makes an ETag and says the length has
 * the content already. Undefined for all that may come in pieces.
 */
export function wholeLength({ statusCode, headers }: IncomingMessage): number | undefined {
  const { etag, 'content-length': length, 'transfer-encoding': framing } = headers
  if (statusCode !== 200 || etag === undefined || length === undefined || framing !== undefined)
    return undefined
  const bytes = Number(length)
  return bytes <= MAX_WHOLE_BYTES ? bytes : undefined
}

interface WholeAnswer {
  headers: readonly string[]
  compression: Compression
  answers: ProjectAnswers
  /** Of the length of the answer; given back when it is sent. */
  room: RoomPart
}

/** Takes an answer in and sends it compressed, from memory where the same was compressed before. */
export async function sendWhole(
  res: ServerResponse,
  answer: IncomingMessage,
  { headers, compression, answers, room }: WholeAnswer,
): Promise<void> {
  using _ = room
  const leave = (): void => void answer.destroy()
  if (res.destroyed) leave()
  else res.once('close', leave)
  const body = Buffer.concat(await answer.toArray())
  res.off('close', leave)
  const compressed = await answers.compressed(body, compression)
  room.shrinkTo(compressed.length)
  if (res.destroyed) return
  const length = ['Content-Length', String(compressed.length)]
  res.writeHead(200, [...toCompressedHeaders(headers, compression), ...length])
  res.end(compressed)
  await finished(res)
}
