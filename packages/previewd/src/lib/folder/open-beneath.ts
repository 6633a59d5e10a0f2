import { constants } from 'node:fs'
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises'
import { join } from 'node:path'

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

/** A file or folder that is open, and was found to be where its path says. */
export interface Opened extends AsyncDisposable {
  handle: FileHandle
  /** A path that leads to what is open, whatever happens to its name meanwhile. */
  path: string
}

/** True for what only means that there is nothing to open. */
export function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  // ENXIO: a socket. ELOOP and ENOTDIR: a link, or a file where a folder was.
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENXIO'
}

/**
 * Opens what is at a relative path below `root`, an absolute path without links in it. Links are followed nowhere:
 * after the opening it is compared where the descriptor really is, so that nobody gains by exchanging a folder for a
 * link in between. Undefined where there is nothing, or something else than `kind`; other failures reject.
 */
export async function openBeneath(
  root: string,
  path: string,
  kind: 'file' | 'folder',
): Promise<Opened | undefined> {
  const expected = path === '' ? root : join(root, path)
  // Without O_NONBLOCK, a FIFO would hold the thread until somebody writes to it.
  const flags = O_RDONLY | O_NOFOLLOW | (kind === 'folder' ? O_DIRECTORY : O_NONBLOCK)
  const handle = await open(expected, flags).catch((error: unknown) => {
    if (isAbsent(error)) return undefined
    throw error
  })
  if (!handle) return undefined
  try {
    const stable = descriptorPath(handle)
    const isThere = stable === undefined ? await realpath(expected) : await readlink(stable)
    if (isThere === expected && (kind === 'folder' || (await handle.stat()).isFile())) {
      return { handle, path: stable ?? expected, [Symbol.asyncDispose]: () => handle.close() }
    }
  } catch (error) {
    await handle.close()
    throw error
  }
  await handle.close()
  return undefined
}

/** Systems without /proc have no such name; there the path itself has to do. */
function descriptorPath({ fd }: FileHandle): string | undefined {
  return process.platform === 'linux' ? `/proc/self/fd/${fd}` : undefined
}
