import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { isCompressible } from '../lib/content-type.ts'
import { PackWriter } from '../lib/pack/pack-writer.ts'
import type { Artifact } from '../model/artifact.ts'
import type { FileEntry } from '../model/files.ts'

const MIN_BYTES = 1024
/** A file is compressed in memory. */
const MAX_BYTES = 16 * 1024 * 1024
/** A variant has to save this share of the file to be worth its place. */
const MIN_SAVING = 0.05
const GZIP_LEVEL = 6
const BROTLI_QUALITY = 5

const gzipAsync = promisify(gzip)
const brotliAsync = promisify(brotliCompress)

/** Writes the compressed variants of an artifact's text files into a sealed pack, as `gzip/{path}` and `br/{path}`. */
export async function writeEncodedPack(artifact: Artifact, target: string): Promise<void> {
  const writer = await PackWriter.create(target)
  try {
    for (const entry of artifact.files.values()) {
      if (isWorthTrying(entry)) await addVariants(writer, entry.path, await artifact.read(entry.path))
    }
  } catch (error) {
    await writer.abort()
    throw error
  }
  await writer.seal()
}

function isWorthTrying(entry: FileEntry): boolean {
  return entry.size >= MIN_BYTES && entry.size <= MAX_BYTES && isCompressible(entry.path)
}

async function addVariants(writer: PackWriter, path: string, content: Buffer): Promise<void> {
  const most = content.length * (1 - MIN_SAVING)
  const gzipped = await gzipAsync(content, { level: GZIP_LEVEL })
  if (gzipped.length <= most) await writer.add(`gzip/${path}`, gzipped)
  const brotli = await brotliAsync(content, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  })
  if (brotli.length <= most) await writer.add(`br/${path}`, brotli)
}
