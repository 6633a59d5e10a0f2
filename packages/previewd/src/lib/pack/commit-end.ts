import type { FileHandle } from 'node:fs/promises'
import type { Commit } from './find-commit.ts'
import { encodeTrailer, sha256, TRAILER_BYTES } from './format.ts'
import { encodeIndex, type PackEntry } from './pack-index.ts'
import type { SequentialWriter } from './sequential-writer.ts'

/** Ends a commit whose content is written: index, trailer, and the one sync that makes all of it durable. */
export async function writeCommitEnd(
  target: { file: FileHandle; id: Buffer; writer: SequentialWriter },
  commit: { sequence: number; start: number; index: Map<string, PackEntry> },
): Promise<Commit> {
  const { file, id, writer } = target
  const { sequence, start, index } = commit
  const encoded = encodeIndex(index)
  const indexOffset = writer.offset
  await writer.write(encoded)
  await writer.write(
    encodeTrailer(id, {
      sequence,
      start,
      indexOffset,
      indexBytes: encoded.length,
      indexHash: sha256(encoded),
    }),
  )
  await writer.flush()
  await file.datasync()
  return { sequence, end: writer.offset, overheadBytes: encoded.length + TRAILER_BYTES, index }
}
