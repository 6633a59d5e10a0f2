import { Readable } from 'node:stream'
import { extract, type Header } from 'tar-stream'
import { PreviewdError } from '../errors.ts'
import type { ChangeCollector } from './change-collector.ts'

/**
 * Adds the regular files of a tar archive; anything in it but files and folders is refused. So is an archive of no
 * bytes: it is what a program that failed leaves in a pipe, and with `replace` it would delete every file.
 */
export async function readTar(source: AsyncIterable<Buffer>, collector: ChangeCollector): Promise<void> {
  let sizeBytes = 0
  async function* counted() {
    for await (const chunk of source) {
      sizeBytes += chunk.length
      yield chunk
    }
  }
  const input = Readable.from(counted())
  const archive = extract()
  input.on('error', (error) => archive.destroy(error))
  input.pipe(archive)
  let entries = 0
  try {
    for await (const entry of archive) {
      // Folders count too: an archive of nothing else could go on for long.
      if (++entries > 4 * collector.limits.files + 1000) {
        throw new PreviewdError('TOO_MANY_FILES', 'The archive has too many entries.')
      }
      const path = entryPath(entry.header)
      if (path !== undefined) await collector.addFile(path, entry as AsyncIterable<Buffer>)
      else entry.resume()
    }
    if (sizeBytes === 0) throw invalid('The archive is empty: not even its end is there.')
  } catch (error) {
    if (error instanceof PreviewdError || isSystemError(error)) throw error
    throw invalid(`The tar archive is damaged: ${(error as Error).message}`, error)
  } finally {
    input.destroy()
  }
}

/** Undefined for the folder that `tar -C folder -c .` begins with, and for every other folder. */
function entryPath({ name, type, size, pax: extended }: Header): string | undefined {
  const pax = extended as Record<string, string> | null | undefined
  // A header of an entry that only says how the next one is to be read differently can lie about its size.
  if (pax?.size !== undefined && !/^\d{1,15}$/.test(pax.size))
    throw refused(name, 'has a size that is no number')
  if (pax && Object.keys(pax).some((key) => key.startsWith('GNU.sparse'))) throw refused(name, 'is sparse')
  if (name.includes('\ufffd')) throw refused(name, 'has a name that is not UTF-8')
  if (type === 'file') return name.replace(/^(?:\.\/)+/, '')
  if (type !== 'directory')
    throw refused(name, `is a ${type ?? 'special file'}; only files and folders are taken`)
  if (size !== undefined && size > 0) throw refused(name, 'is a folder with content')
  return undefined
}

function refused(name: string, reason: string): PreviewdError {
  return invalid(`The archive's entry ${JSON.stringify(name.slice(0, 200))} ${reason}.`)
}

function invalid(detail: string, cause?: unknown): PreviewdError {
  return new PreviewdError('INVALID_ARCHIVE', detail, { cause })
}

/** The disk failed while spooling, which is not the archive's fault. */
function isSystemError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException).errno === 'number'
}
