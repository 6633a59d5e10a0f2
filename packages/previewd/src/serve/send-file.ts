import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Artifact, Encoding } from '../model/artifact.ts'
import type { FileEntry } from '../model/files.ts'
import { parseRange } from './byte-range.ts'
import type { Representation, Representations } from './representation.ts'

/** Larger files are read and sent in pieces of this size, as fast as the client takes them. */
const CHUNK_BYTES = 256 * 1024

export interface FileToSend {
  artifact: Artifact
  entry: FileEntry
  /** Encodings that the client accepts, best first. */
  accepted: readonly Encoding[]
  representations: Representations
  /** 404 for the site's own page of what is missing. */
  status?: 200 | 404
}

/** Answers GET or HEAD with a file: conditional requests, one byte range, the best stored encoding (RFC 9110). */
export async function sendFile(req: IncomingMessage, res: ServerResponse, file: FileToSend): Promise<void> {
  const { artifact, entry, representations, status = 200 } = file
  // Ranges are of the file as it is: a range of compressed bytes helps nobody who resumes or seeks.
  const accepted = req.headers.range === undefined ? file.accepted : IDENTITY_ONLY
  const chosen = representations.choose(artifact, entry, accepted)
  if (status === 200 && matchesEtag(req.headers['if-none-match'], chosen.etag)) {
    res.writeHead(304, chosen.validators as string[]).end()
    return
  }
  const range = status === 200 ? requestedRange(req, chosen) : 'whole'
  if (range === 'whole') return sendWhole(req, res, artifact, chosen, status)
  if (range === 'unsatisfiable') {
    res.writeHead(416, [
      'Content-Range',
      `bytes */${chosen.sizeBytes}`,
      'Cache-Control',
      'no-store',
      'Content-Length',
      '0',
    ])
    res.end()
    return
  }
  const contentRange = `bytes ${range.start}-${range.end - 1}/${chosen.sizeBytes}`
  const length = String(range.end - range.start)
  res.writeHead(206, [...chosen.headers, 'Content-Range', contentRange, 'Content-Length', length])
  return sendBody(req, res, artifact, chosen, range)
}

const IDENTITY_ONLY: readonly Encoding[] = ['identity']

/** Weak comparison with each ETag of an If-None-Match. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  if (header === etag || header.trim() === '*') return true
  return header.split(',').some((item) => item.trim().replace(/^W\//, '') === etag)
}

function requestedRange(req: IncomingMessage, chosen: Representation): ReturnType<typeof parseRange> {
  if (req.headers.range === undefined || req.method !== 'GET') return 'whole'
  // Nothing is sent with Last-Modified, so that a date can never match.
  const condition = req.headers['if-range']
  if (condition !== undefined && condition !== chosen.etag) return 'whole'
  return parseRange(req.headers.range, chosen.sizeBytes)
}

async function sendWhole(
  req: IncomingMessage,
  res: ServerResponse,
  artifact: Artifact,
  chosen: Representation,
  status: number,
): Promise<void> {
  if (req.method === 'HEAD' || chosen.sizeBytes > CHUNK_BYTES) {
    res.writeHead(status, chosen.wholeHeaders as string[])
    return sendBody(req, res, artifact, chosen, { start: 0, end: chosen.sizeBytes })
  }
  // Read before the head is written, so that a failing disk becomes an honest 500.
  const body = await artifact.read(chosen.entry.path, chosen.encoding)
  res.writeHead(status, chosen.wholeHeaders as string[])
  res.end(body)
}

async function sendBody(
  req: IncomingMessage,
  res: ServerResponse,
  artifact: Artifact,
  chosen: Representation,
  range: { start: number; end: number },
): Promise<void> {
  if (req.method === 'HEAD') {
    res.end()
    return
  }
  await pipeline(Readable.from(chunks(artifact, chosen, range), { objectMode: false }), res)
}

async function* chunks(
  artifact: Artifact,
  chosen: Representation,
  range: { start: number; end: number },
): AsyncGenerator<Buffer, void, undefined> {
  for (let start = range.start; start < range.end; start += CHUNK_BYTES) {
    const end = Math.min(range.end, start + CHUNK_BYTES)
    yield await artifact.read(chosen.entry.path, chosen.encoding, { start, end })
  }
}
