import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Reads exactly `sizeBytes` bytes at `offset`; rejects where the file ends before that. */
export async function readFully(file: FileHandle, offset: number, sizeBytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(sizeBytes)
  let done = 0
  while (done < sizeBytes) {
    const { bytesRead } = await file.read(buffer, done, sizeBytes - done, offset + done)
    if (bytesRead === 0)
      throw new Error(`The file ended at byte ${offset + done}, ${sizeBytes - done} too early.`)
    done += bytesRead
  }
  return buffer
}

/** Writes the whole buffer at `offset`: the kernel may take less than it is given, on a full disk for one. */
export async function writeFully(file: FileHandle, offset: number, buffer: Buffer): Promise<void> {
  let done = 0
  while (done < buffer.length) {
    const { bytesWritten } = await file.write(buffer, done, buffer.length - done, offset + done)
    if (bytesWritten === 0) throw new Error('The file system takes no more bytes.')
    done += bytesWritten
  }
}

/** Makes the names in a directory durable: syncing a file alone does not keep the entry that leads to it. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a directory with its parents and, where one was missing, all the names on the way durable. */
export async function makeDirectoryDurable(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true })
  if (first === undefined) return
  for (let at = directory; at !== dirname(first); at = dirname(at)) await syncDirectory(dirname(at))
}
