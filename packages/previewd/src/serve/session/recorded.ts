import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { RecordedAnswer } from '../../model/session.ts'
import { clientTag } from '../client/client-script.ts'
import type { GatewayOptions } from '../gateway-options.ts'
import { isNavigation } from '../navigation.ts'
import { injectShim } from '../path-mode/inject-shim.ts'
import { toClientHeaders } from '../upstream/headers.ts'
import { acceptsGzip, toCompressedHeaders } from './compress.ts'
import { preloadTags } from './preloads.ts'

const decompress = promisify(gunzip)

export interface RecordedPart {
  answer: RecordedAnswer
  revision: number
  generation: string
  instrument: boolean
  modules: readonly string[]
}

/** Sends what the dev server of a session answered before the session went to sleep. */
export async function sendRecorded(
  req: IncomingMessage,
  res: ServerResponse,
  { answer, revision, generation, instrument, modules }: RecordedPart,
  { frameAncestors }: Pick<GatewayOptions, 'frameAncestors'>,
): Promise<void> {
  const isPage = isNavigation(req)
  const drop = isPage ? ['content-length', 'etag', 'last-modified', 'accept-ranges'] : ['content-length']
  const headers = toClientHeaders(answer.headers, { frameAncestors, drop })
  if (!isPage) {
    const etag = headerOf(headers, 'etag')
    if (
      etag !== undefined &&
      req.headers['if-none-match']?.replace(/^W\//, '') === etag.replace(/^W\//, '')
    ) {
      res.writeHead(304, headers).end()
      return
    }
    headers.push('Cross-Origin-Resource-Policy', 'same-origin')
  }
  const isInjected = isPage && instrument
  const isSentGzipped = answer.isGzipped && !isInjected && acceptsGzip(req)
  const whole = answer.isGzipped && !isSentGzipped ? await decompress(answer.body) : answer.body
  const body = isInjected
    ? withTags(whole, preloadTags(modules) + clientTag('session', revision, generation))
    : whole
  const sent = isSentGzipped ? toCompressedHeaders(headers, 'gzip') : headers
  res.writeHead(200, [...sent, 'Content-Length', String(body.length)]).end(body)
}

/** Latin-1 gives every byte back as it was. */
function withTags(page: Buffer, tags: string): Buffer {
  return Buffer.from(injectShim(page.toString('latin1'), tags), 'latin1')
}

function headerOf(headers: readonly string[], name: string): string | undefined {
  const at = headers.findIndex((header, index) => index % 2 === 0 && header.toLowerCase() === name)
  return at === -1 ? undefined : headers[at + 1]
}
