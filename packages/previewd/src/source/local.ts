import type { BigIntStats } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { isAbsolute, sep } from 'node:path'
import { PreviewdError } from '../errors.ts'
import { type Opened, openBeneath } from '../lib/folder/open-beneath.ts'
import { isLeftOut, rulesAround, walkFolder } from '../lib/folder/walk.ts'
import { filePathProblem } from '../model/file-path.ts'
import type { FetchedFile, Source, SourceFile } from '../model/source.ts'
import { invalidPlace } from './places.ts'
import { watchFolder } from './watch-folder.ts'

export interface LocalOptions {
  /** Folder of the project, absolute. */
  path: string
  /** Folders below which the operator allows projects; none allows nothing. */
  roots: readonly string[]
}

const CHUNK_BYTES = 256 * 1024

/**
 * A folder of this machine. Links are never followed; node_modules, outputs of tools and what .gitignore files leave
 * out are not listed, but for the `.env` files that the project's own tools read. Rejects with SETTINGS_INVALID where
 * the folder is not below one of the roots.
 */
export async function openLocalSource({ path, roots }: LocalOptions): Promise<Source> {
  return new LocalSource(await allowedFolder(path, roots))
}

/** The folder without links in it; SOURCE_NOT_FOUND where there is none, SETTINGS_INVALID where it is not allowed. */
async function allowedFolder(path: string, roots: readonly string[]): Promise<string> {
  // By its name first: whether something else is there is nobody's business.
  if (!isAbsolute(path) || !roots.some((root) => isWithin(root, path))) throw notAllowed()
  const real = await realpath(path).catch((error: unknown) => {
    throw toSourceError(error, path)
  })
  const realRoots = await Promise.all(roots.map((root) => realpath(root).catch(() => root)))
  if (!realRoots.some((root) => isWithin(root, real))) throw notAllowed()
  return real
}

/** True for a folder and what is below it, by name alone. */
export function isWithin(root: string, path: string): boolean {
  const base = root.endsWith(sep) ? root : `${root}${sep}`
  return path === root || path.startsWith(base)
}

function notAllowed(): PreviewdError {
  return invalidPlace('path', 'it is not below a folder in PREVIEWD_LOCAL_ROOTS')
}

class LocalSource implements Source {
  readonly #root: string

  constructor(root: string) {
    this.#root = root
  }

  async *list(signal: AbortSignal): AsyncGenerator<SourceFile> {
    try {
      for await (const { path, stats } of walkFolder(this.#root, { signal, keeps: isEnvFile })) {
        yield toSourceFile(path, stats)
      }
    } catch (error) {
      if (signal.aborted) throw error
      throw toSourceError(error, this.#root)
    }
  }

  async find(path: string, signal: AbortSignal): Promise<SourceFile | undefined> {
    await using opened = await this.#open(path, signal)
    return opened && toSourceFile(path, await opened.handle.stat({ bigint: true }))
  }

  async read(file: SourceFile, signal: AbortSignal): Promise<AsyncIterable<Buffer> | undefined> {
    const found = await this.find(file.path, signal)
    return found?.version === file.version ? this.#content(found, signal) : undefined
  }

  async fetch(path: string, signal: AbortSignal): Promise<FetchedFile | undefined> {
    const file = await this.find(path, signal)
    return file && { file, content: this.#content(file, signal) }
  }

  watch(onChange: (paths: readonly string[] | undefined) => void): AsyncDisposable {
    return watchFolder(this.#root, { keeps: isEnvFile, onChange })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Files are open only while they are read.
  }

  async #open(path: string, signal: AbortSignal): Promise<Opened | undefined> {
    signal.throwIfAborted()
    // Asked for by a caller: nothing that could lead out of the folder.
    if (filePathProblem(path) !== undefined) return undefined
    try {
      if (!isEnvFile(path) && isLeftOut(await rulesAround(this.#root, path), path)) return undefined
      return await openBeneath(this.#root, path, 'file')
    } catch (error) {
      throw toSourceError(error, path)
    }
  }

  /**
   * Opens the file when it is first asked, so that a content that nobody wants costs nothing. The last chunk is given
   * out only when the file is still the one that was found.
   */
  async *#content({ path, size, version }: SourceFile, signal: AbortSignal): AsyncGenerator<Buffer> {
    await using opened = await openBeneath(this.#root, path, 'file')
    if (!opened || (await versionOf(opened)) !== version) throw changedMeanwhile(path)
    for (let left = size; left > 0; ) {
      signal.throwIfAborted()
      const { buffer, bytesRead } = await opened.handle.read(Buffer.allocUnsafe(Math.min(left, CHUNK_BYTES)))
      left -= bytesRead
      if (bytesRead === 0 || (left === 0 && (await versionOf(opened)) !== version))
        throw changedMeanwhile(path)
      yield buffer.subarray(0, bytesRead)
    }
  }
}

function changedMeanwhile(path: string): PreviewdError {
  return new PreviewdError('SOURCE_UNREACHABLE', `${path} was changed while it was read.`)
}

/** The project's own tools read them; that they are kept out of git is no reason to start without them. */
function isEnvFile(path: string): boolean {
  return /(?:^|\/)\.env(?:\.[\w-]+)*$/.test(path) && !/(?:^|\/)(?:node_modules|\.git)\//.test(path)
}

function toSourceFile(path: string, stats: BigIntStats): SourceFile {
  return { path, size: Number(stats.size), version: toVersion(stats) }
}

async function versionOf({ handle }: Opened): Promise<string> {
  return toVersion(await handle.stat({ bigint: true }))
}

/** The time of the last change of its inode cannot be set back, unlike that of its content. */
function toVersion({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino}-${size}-${mtimeNs}-${ctimeNs}`
}

function toSourceError(error: unknown, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new PreviewdError('SOURCE_NOT_FOUND', `There is no folder ${path}.`, { cause: error })
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new PreviewdError('SOURCE_DENIED', `${path} may not be read.`, { cause: error })
  }
  if (code === undefined) return error
  return new PreviewdError('SOURCE_UNREACHABLE', `${path} cannot be read (${code}).`, { cause: error })
}
