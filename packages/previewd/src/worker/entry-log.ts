import type { Readable } from 'node:stream'
import type { EntryChannel } from './entry-channel.ts'
import { MAX_LINE_BYTES } from './protocol.ts'

const MAX_LINES_PER_MESSAGE = 512
const NEWLINE = 0x0a

/** What may still be said by a task; shared by its two streams. */
export interface LogBudget {
  missingBytes: number
}

/**
 * Sends a stream's lines, cut at MAX_LINE_BYTES, until the budget is used; after that it is read and dropped, so that
 * the program goes on. While the host is behind, the stream is not read. Resolves at its end.
 */
export function forwardLines(
  source: Readable,
  stream: 'stdout' | 'stderr',
  id: number,
  channel: EntryChannel,
  budget: LogBudget,
): Promise<void> {
  let rest: Buffer = Buffer.alloc(0)
  const forward = (bytes: Buffer, atEnd: boolean) => {
    if (budget.missingBytes < 0) return
    const { lines, tail } = splitLines(rest.length > 0 ? Buffer.concat([rest, bytes]) : bytes, atEnd)
    // A copy: the tail must not keep a whole read alive.
    rest = Buffer.from(tail)
    for (let start = 0; start < lines.length; start += MAX_LINES_PER_MESSAGE) {
      const part = withinBudget(lines.slice(start, start + MAX_LINES_PER_MESSAGE), budget)
      if (part.length > 0) flow(channel.send({ type: 'log', id, stream, lines: part }))
      if (budget.missingBytes < 0) {
        channel.send({ type: 'log-cut', id })
        return
      }
    }
  }
  const flow = (writable: boolean) => {
    if (writable || source.isPaused()) return
    source.pause()
    void channel.drained().then(() => source.resume())
  }
  source.on('data', (bytes: Buffer) => forward(bytes, false))
  return new Promise((resolve) => {
    const end = () => {
      forward(Buffer.alloc(0), true)
      resolve()
    }
    source.once('close', end)
    source.on('error', () => source.destroy())
  })
}

function withinBudget(lines: string[], budget: LogBudget): string[] {
  const kept: string[] = []
  for (const line of lines) {
    budget.missingBytes -= line.length + 1
    if (budget.missingBytes < 0) break
    kept.push(line)
  }
  return kept
}

function splitLines(bytes: Buffer, atEnd: boolean): { lines: string[]; tail: Buffer } {
  const lines: string[] = []
  let start = 0
  while (start < bytes.length) {
    const newline = bytes.indexOf(NEWLINE, start)
    const lineEnd = newline === -1 ? bytes.length : newline
    if (lineEnd - start > MAX_LINE_BYTES) {
      const cut = characterBoundary(bytes, start + MAX_LINE_BYTES)
      lines.push(bytes.toString('utf8', start, cut))
      start = cut
    } else if (newline === -1 && !atEnd) {
      break
    } else {
      lines.push(bytes.toString('utf8', start, lineEnd).replace(/\r$/, ''))
      start = lineEnd + 1
    }
  }
  return { lines, tail: bytes.subarray(Math.min(start, bytes.length)) }
}

/** The last place at or before `end` that is not inside a UTF-8 character. */
function characterBoundary(bytes: Buffer, end: number): number {
  for (let cut = end; cut > end - 4; cut--) if (((bytes[cut] ?? 0) & 0xc0) !== 0x80) return cut
  return end
}
