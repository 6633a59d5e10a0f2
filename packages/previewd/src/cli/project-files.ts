import { createReadStream } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { type Pack, pack } from 'tar-stream'
import { walkFolder } from '../lib/folder/walk.ts'

export interface ProjectFile {
  /** Relative POSIX. */
  path: string
  sizeBytes: number
}

/** A folder's files without symbolic links, outputs, and what its .gitignore files (nested ones too) leave out. */
export async function listProjectFiles(root: string): Promise<ProjectFile[]> {
  const files: ProjectFile[] = []
  for await (const { path, stats } of walkFolder(await realpath(root))) {
    files.push({ path, sizeBytes: Number(stats.size) })
  }
  return files
}

/** The files as a tar stream, read one after the other; `onFile` is told before each. */
export function tarOf(
  root: string,
  files: readonly ProjectFile[],
  onFile: (at: number) => void,
): AsyncIterable<Uint8Array> {
  const archive = pack()
  addAll(archive, root, files, onFile).then(
    () => archive.finalize(),
    (error: Error) => archive.destroy(error),
  )
  // streamx streams are async iterables; the types of tar-stream do not say so.
  return archive as unknown as AsyncIterable<Uint8Array>
}

async function addAll(
  archive: Pack,
  root: string,
  files: readonly ProjectFile[],
  onFile: (at: number) => void,
): Promise<void> {
  for (const [at, { path, sizeBytes }] of files.entries()) {
    onFile(at)
    await addFile(archive, join(root, path), path, sizeBytes)
  }
}

/** A file that shrinks or grows while it is read makes the archive fail rather than be wrong. */
function addFile(archive: Pack, file: string, name: string, size: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const entry = archive.entry({ name, size, mode: 0o644 }, (error) => (error ? reject(error) : resolve()))
    const content = createReadStream(file)
    content.once('error', reject)
    entry.once('error', reject)
    content.pipe(entry)
  })
}
