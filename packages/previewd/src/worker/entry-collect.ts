import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs'
import { join } from 'node:path'
import type { EntryChannel } from './entry-channel.ts'
import { type CollectFailure, MAX_PATH_BYTES } from './protocol.ts'

const READ_BYTES = 256 * 1024
/** Small files are sent together. */
const FLUSH_BYTES = 128 * 1024
const EXECUTABLE = 0o111
/** Not followed, and a FIFO that takes a file's place does not block. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

class CollectError extends Error {
  readonly reason: CollectFailure
  constructor(reason: CollectFailure, detail: string) {
    super(detail)
    this.reason = reason
  }
}

/**
 * Sends the tree below a folder in the order of its paths, one file after the other. Synchronous reads: the output is
 * in memory, and this is five times as fast for many small files.
 */
export class Collector {
  readonly #channel: EntryChannel
  #canceled: number | undefined

  constructor(channel: EntryChannel) {
    this.#channel = channel
  }

  cancel(id: number): void {
    this.#canceled = id
  }

  async run(id: number, directory: string): Promise<void> {
    try {
      requireDirectory(directory)
      await this.#sendFolder(id, directory)
      this.#channel.hold({ type: 'collect-end', id })
    } catch (error) {
      const known = error instanceof CollectError
      const reason = known ? error.reason : 'unreadable'
      const detail = `The output could not be read: ${(error as Error).message}`
      this.#channel.hold({
        type: 'collect-end',
        id,
        failure: { reason, detail: known ? error.message : detail.slice(0, 1000) },
      })
    }
    await this.#channel.flush()
  }

  /** An explicit stack: a hostile tree may be as deep as its paths can be long. */
  async #sendFolder(id: number, root: string): Promise<void> {
    const stack = listing(root, '').reverse()
    for (let entry = stack.pop(); entry; entry = stack.pop()) {
      if (this.#canceled === id) return
      if (entry.kind === 'folder') {
        for (const below of listing(root, entry.path).reverse()) stack.push(below)
      } else if (entry.kind === 'link') {
        const target = readlinkSync(join(root, entry.path))
        this.#channel.hold({ type: 'entry', id, kind: 'link', path: entry.path, target })
      } else {
        await this.#sendFile(id, root, entry.path)
      }
      if (this.#channel.heldBytes > FLUSH_BYTES) await this.#channel.flush()
    }
  }

  async #sendFile(id: number, root: string, path: string): Promise<void> {
    const fd = openSync(join(root, path), OPEN_FLAGS)
    try {
      const stats = fstatSync(fd)
      if (!stats.isFile()) throw new CollectError('special_file', `${path} is not a regular file.`)
      const executable = (stats.mode & EXECUTABLE) !== 0
      this.#channel.hold({ type: 'entry', id, kind: 'file', path, size: stats.size, executable })
      for (let missing = stats.size; missing > 0; ) {
        if (this.#canceled === id) return
        const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, missing))
        const bytesRead = readSync(fd, buffer)
        if (bytesRead === 0) throw new CollectError('unreadable', `${path} became shorter while it was read.`)
        missing -= bytesRead
        this.#channel.hold(buffer.subarray(0, bytesRead))
        if (this.#channel.heldBytes > FLUSH_BYTES) await this.#channel.flush()
      }
    } finally {
      closeSync(fd)
    }
  }
}

interface Listed {
  kind: 'folder' | 'link' | 'file'
  path: string
}

function requireDirectory(directory: string): void {
  const stats = lstatSync(directory, { throwIfNoEntry: false })
  if (!stats?.isDirectory()) throw new CollectError('missing_output', `There is no folder ${directory}.`)
}

/** A folder sorts as its name with the slash, which gives the order of whole paths. */
function listing(root: string, folder: string): Listed[] {
  const entries = readdirSync(join(root, folder), { withFileTypes: true })
  const sorted = entries.map((entry) => ({ entry, key: entry.isDirectory() ? `${entry.name}/` : entry.name }))
  sorted.sort((a, b) => (a.key < b.key ? -1 : 1))
  return sorted.map(({ entry }) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
      throw new CollectError('special_file', `A path of the output is longer than ${MAX_PATH_BYTES} bytes.`)
    }
    // Node shows such a name with this character, and the file cannot be opened by what it shows.
    if (entry.name.includes('\ufffd')) {
      throw new CollectError('special_file', `${path} has a name that is not UTF-8.`)
    }
    return { kind: kindOf(entry, path), path }
  })
}

function kindOf(entry: Dirent, path: string): 'folder' | 'link' | 'file' {
  if (entry.isDirectory()) return 'folder'
  if (entry.isSymbolicLink()) return 'link'
  if (entry.isFile()) return 'file'
  throw new CollectError('special_file', `${path} is neither a file nor a folder nor a link.`)
}
