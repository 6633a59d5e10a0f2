import { createReadStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { type Pack, pack } from 'tar-stream'

export interface ProjectFile {
  /** Relative POSIX. */
  path: string
  sizeBytes: number
}

/** Never sent, whatever .gitignore says: the server refuses them. */
const NEVER = new Set(['node_modules', '.git'])

/** A folder's files without what its .gitignore files (nested ones too) leave out, and without symbolic links. */
export async function listProjectFiles(root: string): Promise<ProjectFile[]> {
  const files: ProjectFile[] = []
  await walk(root, '', [], files)
  return files
}

interface Rules {
  /** Folder that the .gitignore stands in, with its slash, or ''. */
  base: string
  rules: Ignore
}

async function walk(root: string, base: string, inherited: Rules[], found: ProjectFile[]): Promise<void> {
  const entries = await readdir(join(root, base), { withFileTypes: true })
  const hasRules = entries.some((entry) => entry.name === '.gitignore' && entry.isFile())
  const rules = hasRules ? [...inherited, await readRules(root, base)] : inherited
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = `${base}${entry.name}`
    if (NEVER.has(entry.name)) continue
    if (entry.isDirectory()) {
      if (!isIgnored(rules, `${path}/`)) await walk(root, `${path}/`, rules, found)
    } else if (entry.isFile() && !isIgnored(rules, path)) {
      found.push({ path, sizeBytes: (await stat(join(root, path))).size })
    }
  }
}

async function readRules(root: string, base: string): Promise<Rules> {
  return { base, rules: ignore().add(await readFile(join(root, base, '.gitignore'), 'utf8')) }
}

/** The innermost .gitignore that says something of the path decides, as in git. */
function isIgnored(rules: Rules[], path: string): boolean {
  for (const { base, rules: own } of rules.toReversed()) {
    const { ignored, unignored } = own.test(path.slice(base.length))
    if (ignored || unignored) return ignored
  }
  return false
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
