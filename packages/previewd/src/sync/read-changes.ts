import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { PreviewdError } from '../errors.ts'
import type { ChangeBatch } from '../model/files.ts'
import { withStorageErrors } from '../model/storage-error.ts'
import { ChangeCollector, type ReadLimits } from './change-collector.ts'
import { gunzip, gunzipIfGzipped } from './gunzip.ts'
import { limitedBody, tooLarge } from './limited-body.ts'
import { readJson } from './read-json.ts'
import { readMultipart } from './read-multipart.ts'
import { readTar } from './read-tar.ts'

export interface ChangesRequest {
  /** Names in lower case. */
  headers: IncomingHttpHeaders
  body: Readable
}

export interface ReadChangesOptions {
  limits: ReadLimits
  /** Where large contents are spooled. */
  tmpDir: string
  /** `baseRevision` and `replace` (everything that is not sent is deleted), where the body does not have them. */
  query?: Record<string, unknown>
}

/** Disposing of it removes what was spooled; it cannot be applied after that. */
export type ReadBatch = ChangeBatch & AsyncDisposable

type Format = 'json' | 'multipart' | 'tar' | 'tar+gzip'

const FORMATS: ReadonlyMap<string, Format> = new Map([
  ['application/json', 'json'],
  ['multipart/form-data', 'multipart'],
  ['application/x-tar', 'tar'],
  ['application/tar', 'tar'],
  ['application/gzip', 'tar+gzip'],
  ['application/x-gzip', 'tar+gzip'],
  ['application/x-tgz', 'tar+gzip'],
  ['application/tar+gzip', 'tar+gzip'],
  ['application/x-tar+gzip', 'tar+gzip'],
])
/** Headers and padding of an archive, per file. */
const ARCHIVE_OVERHEAD_BYTES = 4096

/**
 * Reads the body of a changes call into a validated batch. When it rejects, nothing is left behind on the disk, and
 * the rest of the body is drained so that the answer can be sent; a caller that does not want to wait for that closes
 * the connection after the answer.
 */
export async function readChanges(request: ChangesRequest, options: ReadChangesOptions): Promise<ReadBatch> {
  const { limits, query = {} } = options
  const collector = new ChangeCollector(limits, options.tmpDir)
  try {
    if (Number(request.headers['content-length'] ?? 0) > limits.bodyBytes) throw tooLarge(limits.bodyBytes)
    if (query.baseRevision !== undefined) collector.setBaseRevision(Number(query.baseRevision))
    await withStorageErrors(() => readBody(request, collector))
    return {
      ...collector.toBatch({ replaceAll: isSet(query.replace) }),
      [Symbol.asyncDispose]: () => collector.spool.dispose(),
    }
  } catch (error) {
    request.body.on('error', () => undefined).resume()
    await collector.spool.dispose()
    throw error
  }
}

async function readBody(request: ChangesRequest, collector: ChangeCollector): Promise<void> {
  const { limits } = collector
  const contentType = request.headers['content-type'] ?? ''
  const format = FORMATS.get(contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '')
  if (format === undefined) {
    throw new PreviewdError(
      'UNSUPPORTED_MEDIA_TYPE',
      'The body has to be application/json, multipart/form-data, application/x-tar or application/gzip.',
    )
  }
  const sent = limitedBody(request.body, limits.bodyBytes)
  const unpackedBytes = limits.projectBytes + limits.files * ARCHIVE_OVERHEAD_BYTES
  const decoded = decode(
    sent,
    request.headers['content-encoding'],
    format === 'tar' ? unpackedBytes : limits.bodyBytes,
  )
  switch (format) {
    case 'json':
      return readJson(decoded, collector)
    case 'multipart':
      return readMultipart(decoded, contentType, collector)
    case 'tar':
      return readTar(gunzipIfGzipped(decoded, unpackedBytes), collector)
    case 'tar+gzip':
      return readTar(gunzip(decoded, unpackedBytes), collector)
  }
}

function decode(
  body: AsyncIterable<Buffer>,
  contentEncoding: string | undefined,
  limitBytes: number,
): AsyncIterable<Buffer> {
  switch (contentEncoding?.trim().toLowerCase()) {
    case undefined:
    case '':
    case 'identity':
      return body
    case 'gzip':
    case 'x-gzip':
      return gunzip(body, limitBytes)
    default:
      throw new PreviewdError('UNSUPPORTED_MEDIA_TYPE', 'The content encoding has to be gzip or none.')
  }
}

function isSet(flag: unknown): boolean {
  return flag === true || flag === 'true' || flag === '1' || flag === ''
}
