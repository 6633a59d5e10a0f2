import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readdir, readFile, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Snapshot } from '../model/files.ts'

/** Where a project's files are laid out, and the list that tells that they are all there. */
export interface MirrorPlace {
  /** `frontend/`; its parent has to exist. */
  folder: string
  /** `.file-hashes.json`: `{revision, files: {path: sha256}}`, absent while the files are being changed. */
  list: string
}

/**
 * Makes a folder show exactly the files of a snapshot, writing only what differs from what its list says. Without a
 * list nothing that is there is trusted, and all of it is written anew. False when `stopped` said so in between.
 *
 * Links in the folder are replaced, never followed: it is a place where people work with shell tools.
 */
export async function materialize(
  snapshot: Snapshot,
  place: MirrorPlace,
  stopped: () => boolean,
): Promise<boolean> {
  const before = await readList(place.list)
  await rm(place.list, { force: true })
  if (before === undefined) await rm(place.folder, { recursive: true, force: true })
  const tree = new Tree(place.folder)
  for (const path of before?.keys() ?? []) {
    if (stopped()) return false
    if (!snapshot.files.has(path)) await tree.remove(path)
  }
  for (const { path, sha256 } of snapshot.files.values()) {
    if (stopped()) return false
    if (before?.get(path) !== sha256) await tree.write(path, await snapshot.read(path))
  }
  await writeList(place.list, snapshot)
  return true
}

/** Removes the view; the list first, so that what is left of the files is not trusted. */
export async function removeMaterialized(place: MirrorPlace): Promise<void> {
  await rm(place.list, { force: true })
  await rm(place.folder, { recursive: true, force: true })
}

async function readList(file: string): Promise<Map<string, string> | undefined> {
  try {
    const { files } = JSON.parse(await readFile(file, 'utf8')) as { files: Record<string, string> }
    return new Map(Object.entries(files))
  } catch {
    // Missing or not whole: either way it vouches for nothing.
    return undefined
  }
}

async function writeList(file: string, { revision, files }: Snapshot): Promise<void> {
  const hashes = Object.create(null)
  for (const { path, sha256 } of files.values()) {
    Object.defineProperty(hashes, path, { value: sha256, enumerable: true })
  }
  await replaceFile(file, Buffer.from(JSON.stringify({ revision, files: hashes })))
}

/** Writes below a folder without following links. */
class Tree {
  readonly #root: string
  readonly #folders = new Set<string>()

  constructor(root: string) {
    this.#root = root
  }

  async write(path: string, content: Buffer): Promise<void> {
    const file = join(this.#root, path)
    await this.#makeFolder(dirname(file))
    await replaceFile(file, content)
  }

  /** Removes a file, and the folders that have become empty. */
  async remove(path: string): Promise<void> {
    let folder = dirname(join(this.#root, path))
    await this.#makeFolder(folder)
    await rm(join(this.#root, path), { force: true, recursive: true })
    while (folder !== this.#root && (await readdir(folder)).length === 0) {
      await rmdir(folder)
      this.#folders.delete(folder)
      folder = dirname(folder)
    }
  }

  /** Every folder on the way is a real one afterwards. */
  async #makeFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return
    if (folder !== this.#root) await this.#makeFolder(dirname(folder))
    const found = await lstat(folder).catch(() => undefined)
    if (found !== undefined && !found.isDirectory()) await unlink(folder)
    if (!found?.isDirectory()) await mkdir(folder, { mode: 0o755 })
    this.#folders.add(folder)
  }
}

/** A rename puts the file in place whole, and replaces a link instead of writing through it. */
async function replaceFile(file: string, content: Buffer): Promise<void> {
  const temporary = join(dirname(file), `.previewd-${randomBytes(6).toString('hex')}`)
  await writeFile(temporary, content, { flag: 'wx', mode: 0o644 })
  try {
    await rename(temporary, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EISDIR') {
      await rm(temporary, { force: true })
      throw error
    }
    await rm(file, { recursive: true })
    await rename(temporary, file)
  }
}
