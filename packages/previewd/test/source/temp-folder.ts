import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** A folder with these files, gone when it is disposed of. */
export async function tempFolder(
  files: Record<string, string> = {},
): Promise<{ path: string; write: (name: string, content: string) => Promise<void> } & AsyncDisposable> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'previewd-source-')))
  const write = async (name: string, content: string) => {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), content)
  }
  for (const [name, content] of Object.entries(files)) await write(name, content)
  return { path, write, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
