import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

export type Compression = 'br' | 'gzip'

/**
 * Both take about the time that compressing anew at {@link createCompression}'s level does, so that who comes first
 * waits for nothing, and make a tenth to a seventh less of modules.
 */
const BROTLI_QUALITY = 4
const GZIP_LEVEL = 4

const brotliAsync = promisify(brotliCompress)
const gzipAsync = promisify(gzip)

/** Compresses text that is there as a whole, and may be sent more than once. */
export function compressWhole(content: Buffer, compression: Compression): Promise<Buffer> {
  if (compression === 'gzip') return gzipAsync(content, { level: GZIP_LEVEL })
  return brotliAsync(content, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  })
}
