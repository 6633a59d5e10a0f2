import type { IncomingMessage } from 'node:http'
import { constants, createGzip, type Gzip } from 'node:zlib'
import { acceptedEncodings } from '../negotiate-encoding.ts'
import type { Compression } from './compress-whole.ts'

const COMPRESSIBLE =
  /^(?:text\/(?!event-stream)|application\/(?:javascript|json|wasm|manifest\+json|xml)|image\/svg\+xml)/i
/** Below this a packet holds it anyway. */
const MIN_BYTES = 1024
/** The first one that is worth its time on what is compressed anew for each answer. */
const LEVEL = 2

/** Whether answers to this request go over a network: there bytes cost more than compressing them. */
export function isRemote(req: IncomingMessage): boolean {
  const { headers, socket } = req
  return (
    headers['x-forwarded-for'] !== undefined ||
    !/^(?:::1$|(?:::ffff:)?127\.)/.test(socket.remoteAddress ?? '')
  )
}

/** How an answer to this request may be compressed, the smallest first. */
export function acceptedCompressions({ headers }: IncomingMessage): Compression[] {
  const accepted = headers['accept-encoding']
  if (typeof accepted !== 'string') return []
  return acceptedEncodings(accepted).filter((encoding) => encoding !== 'identity')
}

export function acceptsGzip(req: IncomingMessage): boolean {
  return acceptedCompressions(req).includes('gzip')
}

/** Dev servers send everything as it is: true for an answer that is smaller when compressed. */
export function isCompressibleAnswer({ statusCode, headers }: IncomingMessage): boolean {
  if (statusCode !== 200 && statusCode !== 404) return false
  if (
    headers['content-encoding'] !== undefined ||
    headers['cache-control']?.toLowerCase().includes('no-transform')
  )
    return false
  const length = Number(headers['content-length'] ?? MIN_BYTES)
  return length >= MIN_BYTES && COMPRESSIBLE.test(headers['content-type'] ?? '')
}

/** What a dev server sends in pieces is sent on in pieces. */
export function createCompression(): Gzip {
  return createGzip({ level: LEVEL, flush: constants.Z_SYNC_FLUSH })
}

/** The headers of an answer that is compressed now, name and value by turns; its ETag names the other bytes, too, but weakly. */
export function toCompressedHeaders(headers: readonly string[], compression: Compression): string[] {
  const changed: string[] = []
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const [name = '', value = ''] = [headers[at], headers[at + 1]]
    const lower = name.toLowerCase()
    if (lower === 'content-length' || lower === 'accept-ranges') continue
    changed.push(name, lower === 'etag' && !value.startsWith('W/') ? `W/${value}` : value)
  }
  return [...changed, 'Content-Encoding', compression, 'Vary', 'Accept-Encoding']
}
