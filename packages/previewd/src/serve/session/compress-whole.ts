import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

export type Compression = 'br' | 'gzip'

/**
 * Both take about the time that compressing a stream does, since who comes first waits for it, with a processor that
 * the dev server needs as well; and both make a tenth less of modules. More quality pays from the second viewer on only.
 */
const BROTLI_QUALITY = 3
const GZIP_LEVEL = 4
/** Text shrinks to about this share: most comes out in one piece, as each further one waits for the event loop. */
const EXPECTED_SHARE = 1 / 3
const MIN_CHUNK_BYTES = 1024

const brotliAsync = promisify(brotliCompress)
const gzipAsync = promisify(gzip)

/** Compresses text that is there as a whole, and may be sent more than once. */
export function compressWhole(content: Buffer, compression: Compression): Promise<Buffer> {
  const chunkSize = Math.max(MIN_CHUNK_BYTES, Math.ceil(content.length * EXPECTED_SHARE))
  if (compression === 'gzip') return gzipAsync(content, { level: GZIP_LEVEL, chunkSize })
  return brotliAsync(content, {
    chunkSize,
    params: {
      [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  })
}
