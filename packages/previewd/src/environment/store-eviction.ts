import { readdir, readFile, readlink, rm, stat, unlink } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { STORE_TARGET } from './environment-tree.ts'

export interface Evicted {
  environments: number
  /** Package versions as laid out with their dependencies. */
  packages: number
  /** Bytes of content that nothing refers to any more. */
  bytes: number
}

const KEY = /^[0-9a-f]{64}$/
/** `links/{scope}/{name}/{version}/{hash}` of pnpm's global virtual store is one package. */
const SLOT_DEPTH = 4

/**
 * Removes the environments below `dir` that were not used since `before` (ms since the epoch), and then whatever of
 * the shared store no environment refers to. Nothing may be installed meanwhile.
 */
export async function evictUnused(dir: string, before: number): Promise<Evicted> {
  const keys = (await readdir(dir)).filter((name) => KEY.test(name))
  const live: string[] = []
  let environments = 0
  for (const key of keys) {
    if ((await lastUse(join(dir, key))) >= before) live.push(key)
    else {
      await rm(join(dir, key), { recursive: true, force: true })
      environments++
    }
  }
  const store = join(dir, 'store')
  let packages = 0
  let bytes = 0
  for (const version of await foldersIn(store, (name) => /^v\d+$/.test(name))) {
    const links = join(store, version, 'links')
    const used = await markSlots(store, links, await readTargets(dir, live))
    packages += await sweepSlots(links, used)
    bytes += await sweepContent(join(store, version, 'files'))
  }
  return { environments, packages, bytes }
}

/** Environments are touched when they are used; a folder without one is a resolution or a failure. */
async function lastUse(folder: string): Promise<number> {
  const times = await Promise.all(
    (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).mtimeMs),
  )
  return Math.max(0, ...times)
}

async function readTargets(dir: string, keys: readonly string[]): Promise<string[]> {
  const targets = new Set<string>()
  for (const key of keys) {
    const text = await readFile(join(dir, key, 'environment.json'), 'utf8').catch(absentAs('{}'))
    const { links = [] } = JSON.parse(text) as { links?: [path: string, target: string][] }
    for (const [, target] of links) targets.add(target)
  }
  return [...targets]
}

/** The slots that the targets are in and, through the links inside them, all that those need. */
async function markSlots(store: string, links: string, targets: readonly string[]): Promise<Set<string>> {
  const used = new Set<string>()
  const queue = targets
    .filter((target) => target.startsWith(`${STORE_TARGET}/`))
    .map((target) => join(store, target.slice(STORE_TARGET.length)))
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const slot = slotOf(links, path)
    if (slot === undefined || used.has(slot)) continue
    used.add(slot)
    queue.push(...(await linksIn(join(links, slot, 'node_modules'))))
  }
  return used
}

function slotOf(links: string, path: string): string | undefined {
  const relative = posix.relative(links, path)
  const parts = relative.split('/')
  return relative.startsWith('..') || parts.length < SLOT_DEPTH
    ? undefined
    : parts.slice(0, SLOT_DEPTH).join('/')
}

async function linksIn(modules: string): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(modules, { withFileTypes: true }).catch(absentAs([]))) {
    const path = join(modules, entry.name)
    if (entry.isSymbolicLink()) found.push(posix.resolve(modules, await readlink(path)))
    else if (entry.isDirectory() && entry.name.startsWith('@')) found.push(...(await linksIn(path)))
  }
  return found
}

async function sweepSlots(links: string, used: ReadonlySet<string>): Promise<number> {
  let removed = 0
  for (const slot of await foldersAtDepth(links, SLOT_DEPTH)) {
    if (used.has(slot)) continue
    await rm(join(links, slot), { recursive: true, force: true })
    removed++
  }
  return removed
}

/** Content is hard-linked into the slots, so what has one name left belongs to none. */
async function sweepContent(files: string): Promise<number> {
  let bytes = 0
  for (const folder of await foldersIn(files)) {
    for (const name of await readdir(join(files, folder))) {
      const path = join(files, folder, name)
      const { nlink, size } = await stat(path)
      if (nlink > 1) continue
      await unlink(path)
      bytes += size
    }
  }
  return bytes
}

async function foldersAtDepth(root: string, depth: number): Promise<string[]> {
  let level = ['']
  for (let step = 0; step < depth; step++) {
    const next = await Promise.all(
      level.map(async (folder) =>
        (await foldersIn(join(root, folder))).map((name) => posix.join(folder, name)),
      ),
    )
    level = next.flat()
  }
  return level
}

async function foldersIn(folder: string, passes = (_name: string) => true): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(absentAs([]))
  return entries.filter((entry) => entry.isDirectory() && passes(entry.name)).map(({ name }) => name)
}

function absentAs<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return value
    throw error
  }
}
