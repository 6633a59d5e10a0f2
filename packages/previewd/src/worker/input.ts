import { type InputEntry, WorkerError } from '../model/worker.ts'
import type { Channel } from './channel.ts'
import { MAX_FRAME_BYTES, type PutEntry } from './protocol.ts'

const BATCH_ENTRIES = 512
/** Of names and targets, well below what a message may have. */
const BATCH_NAME_BYTES = 128 * 1024
const CHUNK_BYTES = 256 * 1024

/**
 * Sends entries: a message that names many, then the content of the files among them as one stream of chunks.
 * Resolves when all is handed to the socket; false when the channel has ended. Throws when a file's content has not
 * the size that was announced: the channel is out of step then and must be closed.
 */
export async function sendEntries(
  channel: Channel,
  id: number,
  entries: Iterable<InputEntry> | AsyncIterable<InputEntry>,
): Promise<boolean> {
  let batch: InputEntry[] = []
  let nameBytes = 0
  for await (const entry of entries) {
    batch.push(entry)
    nameBytes += 2 * (entry.path.length + (entry.kind === 'link' ? entry.target.length : 0))
    if (batch.length < BATCH_ENTRIES && nameBytes < BATCH_NAME_BYTES) continue
    if (!(await sendBatch(channel, id, batch))) return false
    batch = []
    nameBytes = 0
  }
  return batch.length === 0 || (await sendBatch(channel, id, batch))
}

async function sendBatch(channel: Channel, id: number, batch: InputEntry[]): Promise<boolean> {
  if (!(await channel.send({ type: 'put', id, entries: batch.map(describe) }))) return false
  let held: Buffer[] = []
  let heldBytes = 0
  for (const entry of batch) {
    if (entry.kind !== 'file') continue
    for await (const bytes of contentOf(entry)) {
      held.push(bytes)
      heldBytes += bytes.length
      if (heldBytes < CHUNK_BYTES) continue
      if (!(await sendBytes(channel, held))) return false
      held = []
      heldBytes = 0
    }
  }
  return heldBytes === 0 || (await sendBytes(channel, held))
}

function describe(entry: InputEntry): PutEntry {
  if (entry.kind === 'link') return { kind: 'link', path: entry.path, target: entry.target }
  return { kind: 'file', path: entry.path, size: entry.size, executable: entry.executable ?? false }
}

async function* contentOf(entry: InputEntry & { kind: 'file' }): AsyncGenerator<Buffer> {
  let bytes = 0
  const parts = Buffer.isBuffer(entry.content) ? [entry.content] : entry.content
  for await (const part of parts) {
    bytes += part.length
    if (bytes > entry.size) break
    yield part
  }
  if (bytes !== entry.size) throw new Error(`the content of ${entry.path} has not the size announced`)
}

async function sendBytes(channel: Channel, parts: Buffer[]): Promise<boolean> {
  const bytes = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts)
  for (let start = 0; start < bytes.length; start += MAX_FRAME_BYTES) {
    if (!(await channel.sendChunk(bytes.subarray(start, start + MAX_FRAME_BYTES)))) return false
  }
  return true
}

/** Why the child did not take an input, in words. */
export function inputError({ code, message }: { code: string; message: string }): WorkerError {
  if (code === 'ENOSPC' || code === 'ENOMEM') {
    return new WorkerError('too_many_bytes', 'The files do not fit into the space of the sandbox.')
  }
  return new WorkerError('violation', `A file could not be written inside the sandbox: ${message}`)
}
