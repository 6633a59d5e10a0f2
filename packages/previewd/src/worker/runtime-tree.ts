import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmod,
  constants,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What package scripts commonly call; taken from the host where present. */
const TOOLS = (
  '[ awk basename bash cat chmod cmp comm cp cut date diff dirname echo egrep env expr false find fgrep grep gunzip ' +
  'gzip head hostname id join ln ls md5sum mkdir mkfifo mktemp mv nproc od paste printenv printf pwd readlink realpath rm ' +
  'rmdir sed seq sh sha256sum sleep sort split stat tail tar tee test touch tr true uname uniq wc which xargs yes'
).split(' ')
const TOOL_FOLDERS = ['/usr/bin', '/bin']

/** Libraries that native packages load though Node itself does not; from where libc is, where present. */
const EXTRA_LIBRARIES = [
  ...['libresolv.so.2', 'librt.so.1', 'libutil.so.1', 'libatomic.so.1', 'libgcc_s.so.1'],
  // Of other Nodes than the server's own.
  ...['libdl.so.2', 'libpthread.so.0', 'libm.so.6', 'libstdc++.so.6'],
]
const LIBRARY_FOLDERS = ['/usr/lib/', '/usr/lib64/', '/lib/', '/lib64/']

/** The child half and what it imports, all beside this file. */
const CHILD_FILE = /^(?:entry[\w-]*|protocol)\.(?:ts|js)$/

const ETC_FILES = {
  passwd: 'root:x:0:0:root:/:/bin/false\nnobody:x:65534:65534:nobody:/tmp/home:/bin/sh\n',
  group: 'root:x:0:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost sandbox\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
}

/** The seccomp program, beside the folders that are mounted. */
export const SECCOMP_FILE = 'seccomp.bpf'

/** Part of the key: a change of how the tree is built makes a new tree. */
const LAYOUT_VERSION = 1
const ABANDONED_AFTER_MS = 10 * 60_000

/**
 * The read-only file system of workers in `parent/{key}`: the node that runs this daemon, its shared libraries, a
 * shell with a few tools, an /etc of its own and the child half of the worker. Built once, atomically; trees of
 * earlier versions are removed. The key covers path, size and modification time of what is copied, and the content
 * of the child half. Returns the folder.
 */
export async function ensureRuntimeTree(parent: string, seccomp: Buffer): Promise<string> {
  const copies = await planCopies()
  const child = await readChildFiles()
  const tree = join(parent, await keyOf(copies, child, seccomp))
  if (await exists(tree)) return tree
  await mkdir(parent, { recursive: true })
  // Whatever the umask: workers of other users read it.
  await chmod(parent, 0o755)
  const building = await mkdtemp(join(parent, '.building-'))
  try {
    await writeFile(join(building, SECCOMP_FILE), seccomp)
    await buildTree(building, copies, child)
    await rename(building, tree)
  } catch (error) {
    await rm(building, { recursive: true, force: true })
    // Another daemon on the same folder was faster.
    if (!(await exists(tree))) throw error
  }
  await removeOthers(parent, basename(tree))
  return tree
}

/** target path inside the tree -> file on the host */
type Copies = Map<string, string>

async function planCopies(): Promise<Copies> {
  const node = await realpath(process.execPath)
  const copies: Copies = new Map([['usr/bin/node', node]])
  for (const name of TOOLS) {
    const file = await firstExisting(TOOL_FOLDERS.map((folder) => join(folder, name)))
    if (file) copies.set(`usr/bin/${name}`, file)
  }
  const libraries = await sharedLibraries([...copies.values()])
  const libc = [...libraries].find((file) => basename(file).startsWith('libc.so'))
  for (const name of libc ? EXTRA_LIBRARIES : []) {
    const file = await firstExisting([join(dirname(libc ?? ''), name)])
    if (file) libraries.add(file)
  }
  for (const library of libraries) copies.set(libraryTarget(library), library)
  return copies
}

/** Paths as ldd prints them. It fails for scripts and static programs, but goes on with the others. */
async function sharedLibraries(programs: string[]): Promise<Set<string>> {
  const options = { env: { PATH: '/usr/bin:/bin' }, maxBuffer: 16 * 1024 * 1024 }
  const { stdout } = await run('ldd', programs, options).catch((error: { stdout?: string }) => error)
  return new Set(
    [...(stdout ?? '').matchAll(/(?:=>\s*|^\s*)(\/\S+)\s+\(0x/gm)].flatMap((match) => match[1] ?? []),
  )
}

/** Where the loader looks for it: at its own path, or in a default folder for paths such as those of Nix. */
function libraryTarget(library: string): string {
  const standard = LIBRARY_FOLDERS.some((folder) => library.startsWith(folder))
  if (!standard) return join('usr/lib64', basename(library))
  return library.startsWith('/usr/') ? library.slice(1) : join('usr', library.slice(1))
}

/** A checkout has .ts files, a compiled package .js files. */
async function readChildFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  const names = (await readdir(import.meta.dirname)).filter((name) => CHILD_FILE.test(name))
  for (const name of names.sort()) {
    files.set(join('worker', name), await readFile(join(import.meta.dirname, name), 'utf8'))
  }
  return files
}

const STRIP_SCRIPT = `
import { text } from 'node:stream/consumers'
import { stripTypeScriptTypes } from 'node:module'
process.stdout.write(JSON.stringify(JSON.parse(await text(process.stdin)).map((source) => stripTypeScriptTypes(source))))`

/**
 * Types are stripped here once and not by each worker, which saves it 40 ms. In a process of its own, as Node warns of
 * the function as experimental.
 */
async function toJavaScript(files: Map<string, string>): Promise<Map<string, string>> {
  if ([...files.keys()].every((path) => path.endsWith('.js'))) return files
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', STRIP_SCRIPT],
    {
      env: {},
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  child.stdin.end(JSON.stringify([...files.values()]))
  const stripped = JSON.parse(await text(child.stdout)) as string[]
  return new Map(
    [...files.keys()].map((path, index) => [
      path.replace(/\.ts$/, '.js'),
      (stripped[index] ?? '').replace(/(from\s+'\.[^']*)\.ts'/g, "$1.js'"),
    ]),
  )
}

async function keyOf(copies: Copies, child: Map<string, string>, seccomp: Buffer): Promise<string> {
  const hash = createHash('sha256').update(`${LAYOUT_VERSION} ${process.version} ${process.arch}\n`)
  for (const [target, source] of [...copies].sort()) {
    const { size, mtimeMs } = await stat(source)
    hash.update(`${target}\0${source}\0${size}\0${mtimeMs}\n`)
  }
  for (const [target, source] of child) hash.update(`${target}\0${source}\0`)
  return hash.update(seccomp).update(JSON.stringify(ETC_FILES)).digest('hex').slice(0, 32)
}

async function buildTree(tree: string, copies: Copies, child: Map<string, string>): Promise<void> {
  for (const folder of ['usr/bin', 'usr/lib', 'usr/lib64', 'usr/sbin', 'etc', 'previewd']) {
    await mkdir(join(tree, folder), { recursive: true })
  }
  for (const [target, source] of copies) {
    await mkdir(dirname(join(tree, target)), { recursive: true })
    await copyFile(source, join(tree, target), constants.COPYFILE_FICLONE)
  }
  await symlink('node', join(tree, 'usr/bin/nodejs'))
  for (const [name, content] of Object.entries(ETC_FILES)) await writeFile(join(tree, 'etc', name), content)
  for (const [target, source] of await toJavaScript(child)) {
    await mkdir(dirname(join(tree, 'previewd', target)), { recursive: true })
    await writeFile(join(tree, 'previewd', target), source)
  }
  await writeFile(join(tree, 'previewd/package.json'), '{"type":"module"}\n')
  await openToAll(tree)
}

/** Workers run under other uids, whatever the umask of the daemon is. */
async function openToAll(tree: string): Promise<void> {
  await chmod(tree, 0o755)
  for (const entry of await readdir(tree, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) await chmod(join(entry.parentPath, entry.name), 0o755)
  }
}

/** Earlier versions, and what a killed daemon left half built; not what another daemon is building now. */
async function removeOthers(parent: string, current: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const path = join(parent, name)
    const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? 0)
    if (name === current || (name.startsWith('.') && age < ABANDONED_AFTER_MS)) continue
    await rm(path, { recursive: true, force: true })
  }
}

async function firstExisting(files: string[]): Promise<string | undefined> {
  for (const file of files) if (await exists(file)) return file
  return undefined
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
