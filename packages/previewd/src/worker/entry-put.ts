import { chmodSync, closeSync, mkdirSync, openSync, rmSync, symlinkSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { PutEntry } from './protocol.ts'

const APP = '/app'

type FileEntry = PutEntry & { kind: 'file' }

/**
 * Writes what the host sends below /app. Synchronous, because a write to a tmpfs is a copy in memory and because the
 * channel then waits by itself. After a failure the rest of the input is read and dropped.
 */
export class PutReceiver {
  readonly #made = new Set<string>()
  #files: FileEntry[] = []
  #open: { fd: number; missing: number } | undefined
  #failure: { code: string; message: string } | undefined
  #missing = 0

  begin(entries: readonly PutEntry[]): void {
    this.#files = entries.filter((entry) => entry.kind === 'file')
    this.#missing = this.#files.reduce((sum, { size }) => sum + size, 0)
    for (const entry of entries) if (entry.kind === 'link') this.#attempt(() => this.#writeLink(entry))
    this.#attempt(() => this.#openNext())
  }

  write(bytes: Buffer): void {
    this.#missing -= bytes.length
    if (this.#missing < 0) throw new Error('more content than announced')
    this.#attempt(() => {
      let rest = bytes
      while (rest.length > 0) {
        if (!this.#open) return
        const part = rest.subarray(0, this.#open.missing)
        writeFully(this.#open.fd, part)
        this.#open.missing -= part.length
        rest = rest.subarray(part.length)
        if (this.#open.missing === 0) this.#openNext()
      }
    })
  }

  /** What is at the paths goes, be it a file, a link or a folder. */
  remove(paths: readonly string[]): void {
    for (const path of paths) this.#attempt(() => rmSync(join(APP, path), { recursive: true, force: true }))
  }

  /** The first failure since the last call. */
  end(): { code: string; message: string } | undefined {
    const failure = this.#failure
    this.#failure = undefined
    // Project code may remove folders before the next input.
    this.#made.clear()
    return failure
  }

  #attempt(action: () => void): void {
    if (this.#failure) return
    try {
      action()
    } catch (error) {
      const { code = 'UNKNOWN', message } = error as NodeJS.ErrnoException
      this.#failure = { code, message: message.slice(0, 1000) }
      this.#close()
      this.#files = []
    }
  }

  /** Opens the next file that has content; those without are complete at once. */
  #openNext(): void {
    this.#close()
    for (let entry = this.#files.shift(); entry; entry = this.#files.shift()) {
      this.#open = { fd: this.#create(entry), missing: entry.size }
      if (entry.size > 0) return
      this.#close()
    }
  }

  #create(entry: FileEntry): number {
    const path = this.#prepare(entry.path)
    const fd = replacing(path, () => openSync(path, 'wx', 0o644))
    if (entry.executable) chmodSync(path, 0o755)
    return fd
  }

  #writeLink(entry: PutEntry & { kind: 'link' }): void {
    const path = this.#prepare(entry.path)
    replacing(path, () => symlinkSync(entry.target, path))
  }

  #prepare(relative: string): string {
    const path = join(APP, relative)
    const parent = dirname(path)
    if (!this.#made.has(parent)) {
      mkdirSync(parent, { recursive: true })
      this.#made.add(parent)
    }
    return path
  }

  #close(): void {
    if (this.#open) closeSync(this.#open.fd)
    this.#open = undefined
  }
}

/** What was at the path, be it a link or a folder, is removed and never written through. */
function replacing<T>(path: string, create: () => T): T {
  try {
    return create()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    rmSync(path, { recursive: true, force: true })
    return create()
  }
}

function writeFully(fd: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written)
}
