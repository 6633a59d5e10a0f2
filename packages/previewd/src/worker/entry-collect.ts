import { constants, type Dirent } from 'node:fs'
import { lstat, open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { EntryChannel } from './entry-channel.ts'
import { type CollectFailure, MAX_PATH_BYTES } from './protocol.ts'

const READ_BYTES = 256 * 1024
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

/** Sends the tree below a folder in the order of its paths, one file after the other. */
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
      await this.#requireDirectory(directory)
      await this.#sendFolder(id, directory, '')
      this.#channel.send({ type: 'collect-end', id })
    } catch (error) {
      const known = error instanceof CollectError
      const reason = known ? error.reason : 'unreadable'
      const detail = `The output could not be read: ${(error as Error).message}`
      this.#channel.send({
        type: 'collect-end',
        id,
        failure: { reason, detail: known ? error.message : detail.slice(0, 1000) },
      })
    }
  }

  async #requireDirectory(directory: string): Promise<void> {
    const stats = await lstat(directory).catch(() => undefined)
    if (!stats?.isDirectory()) throw new CollectError('missing_output', `There is no folder ${directory}.`)
  }

  /** An explicit stack: a hostile tree may be as deep as its paths can be long. */
  async #sendFolder(id: number, root: string, top: string): Promise<void> {
    const stack = (await this.#listing(root, top)).reverse()
    for (let entry = stack.pop(); entry; entry = stack.pop()) {
      if (this.#canceled === id) return
      if (entry.kind === 'folder') {
        stack.push(...(await this.#listing(root, entry.path)).reverse())
      } else if (entry.kind === 'link') {
        const target = await readlink(join(root, entry.path))
        await this.#flow(this.#channel.send({ type: 'entry', id, kind: 'link', path: entry.path, target }))
      } else {
        await this.#sendFile(id, root, entry.path)
      }
    }
  }

  async #listing(
    root: string,
    folder: string,
  ): Promise<{ kind: 'folder' | 'link' | 'file'; path: string }[]> {
    const entries = await readdir(join(root, folder), { withFileTypes: true })
    const sorted = entries.map((entry) => ({
      entry,
      key: entry.isDirectory() ? `${entry.name}/` : entry.name,
    }))
    // A folder sorts as its name with the slash, which gives the order of whole paths.
    sorted.sort((a, b) => (a.key < b.key ? -1 : 1))
    return sorted.map(({ entry }) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
        throw new CollectError('special_file', `A path of the output is longer than ${MAX_PATH_BYTES} bytes.`)
      }
      return { kind: kindOf(entry, path), path }
    })
  }

  async #sendFile(id: number, root: string, path: string): Promise<void> {
    await using file = await open(join(root, path), OPEN_FLAGS)
    const stats = await file.stat()
    if (!stats.isFile()) throw new CollectError('special_file', `${path} is not a regular file.`)
    const executable = (stats.mode & EXECUTABLE) !== 0
    this.#channel.send({ type: 'entry', id, kind: 'file', path, size: stats.size, executable })
    for (let missing = stats.size; missing > 0; ) {
      if (this.#canceled === id) return
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, missing))
      const { bytesRead } = await file.read(buffer, 0, buffer.length)
      if (bytesRead === 0) throw new CollectError('unreadable', `${path} became shorter while it was read.`)
      missing -= bytesRead
      await this.#flow(this.#channel.sendChunk(buffer.subarray(0, bytesRead)))
    }
  }

  async #flow(writable: boolean): Promise<void> {
    if (!writable) await this.#channel.drained()
  }
}

function kindOf(entry: Dirent, path: string): 'folder' | 'link' | 'file' {
  if (entry.isDirectory()) return 'folder'
  if (entry.isSymbolicLink()) return 'link'
  if (entry.isFile()) return 'file'
  throw new CollectError('special_file', `${path} is neither a file nor a folder nor a link.`)
}
