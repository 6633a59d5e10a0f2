import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Store } from '../../src/store/open-store.ts'
import { MIRROR } from './limits.ts'
import { filesOf, makeDataDir, openTestStore } from './store-directory.ts'

interface Mirrored {
  dataDir: string
  store: Store
  /** Applies a batch and answers with what is laid out when its revision is. */
  apply(
    contents: Record<string, string>,
    deleted?: string[],
    project?: string,
  ): Promise<Record<string, string>>
}

async function openMirrored(): Promise<Mirrored> {
  const dataDir = await makeDataDir()
  const store = await openTestStore(dataDir, { mirror: MIRROR })
  const apply: Mirrored['apply'] = async (contents, deleted = [], project = 'demo') => {
    const { revision } = await store.files.apply(project, { files: filesOf(contents), deleted })
    return laidOut(dataDir, project, revision)
  }
  return { dataDir, store, apply }
}

/** What is laid out once the list names the revision. */
async function laidOut(dataDir: string, project: string, revision: number): Promise<Record<string, string>> {
  const folder = join(dataDir, 'projects', project)
  const listed = async () => {
    const list = await readFile(join(folder, '.file-hashes.json'), 'utf8').catch(() => '{}')
    return JSON.parse(list).revision
  }
  await expect.poll(listed).toBe(revision)
  const all: Record<string, string> = {}
  for (const entry of await readdir(join(folder, 'frontend'), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(join(folder, 'frontend/').length)
    if (!entry.isDirectory()) all[name] = await readFile(path, 'utf8')
    else if ((await readdir(path)).length === 0) all[`${name}/`] = 'empty'
  }
  return all
}

test('the newest files are laid out in a folder, with a list of their hashes', async () => {
  const { apply } = await openMirrored()
  expect(await apply({ 'index.html': '1', 'src/a/b.ts': '2', __proto__x: '3' })).toEqual({
    'index.html': '1',
    'src/a/b.ts': '2',
    __proto__x: '3',
  })
  expect(await apply({ 'index.html': '2', src2: '' }, ['src/a/b.ts'])).toEqual({
    'index.html': '2',
    src2: '',
    __proto__x: '3',
  })
})

test('a file can take the place of a folder, and a folder that of a file', async () => {
  const { apply } = await openMirrored()
  await apply({ 'a/b': '1', c: '2' })
  expect(await apply({ a: '3', 'c/d': '4' }, ['a/b', 'c'])).toEqual({ a: '3', 'c/d': '4' })
})

test('files that did not change are not written again', async () => {
  const { dataDir, apply } = await openMirrored()
  await apply({ a: '1', b: '2' })
  const before = await stat(join(dataDir, 'projects/demo/frontend/a'))
  await apply({ b: '3' })
  expect((await stat(join(dataDir, 'projects/demo/frontend/a'))).ino).toBe(before.ino)
})

test('links in the folder are replaced, not followed', async () => {
  const { dataDir, apply } = await openMirrored()
  const outside = join(dataDir, 'outside')
  await mkdir(outside)
  await writeFile(join(outside, 'file'), 'untouched')
  await apply({ 'src/a': '1', b: '1', 'gone/x': '1' })
  const folder = join(dataDir, 'projects/demo/frontend')
  for (const name of ['src', 'b', 'gone']) await rm(join(folder, name), { recursive: true })
  await symlink(outside, join(folder, 'src'))
  await symlink(join(outside, 'file'), join(folder, 'b'))
  await symlink(outside, join(folder, 'gone'))
  expect(await apply({ 'src/a': '2', b: '2' }, ['gone/x'])).toEqual({ 'src/a': '2', b: '2' })
  expect(await readdir(outside)).toEqual(['file'])
  expect(await readFile(join(outside, 'file'), 'utf8')).toBe('untouched')
})

test('after a crash what is laid out is made anew', async () => {
  const { store, dataDir, apply } = await openMirrored()
  await apply({ a: '1', b: '2' })
  await store.close()
  await writeFile(join(dataDir, 'projects/demo/frontend/a'), '\0')
  await writeFile(join(dataDir, 'projects/demo/frontend/leftover'), '')
  await writeFile(join(dataDir, 'running'), 'demo\n')
  await openTestStore(dataDir, { mirror: MIRROR })
  await expect.poll(() => laidOut(dataDir, 'demo', 1)).toEqual({ a: '1', b: '2' })
})

test('a server that was closed before it got to it lays the files out after the next start', async () => {
  const { store, dataDir, apply } = await openMirrored()
  await apply({ a: '1' })
  await store.close()
  const late = await openTestStore(dataDir, { mirror: { projects: 2, delayMs: 60_000 } })
  await late.files.apply('demo', { files: filesOf({ a: '2' }), deleted: [] })
  await late.files.apply('new', { files: filesOf({ b: '1' }), deleted: [] })
  await late.close()
  await openTestStore(dataDir, { mirror: MIRROR })
  expect(await laidOut(dataDir, 'demo', 2)).toEqual({ a: '2' })
  expect(await laidOut(dataDir, 'new', 1)).toEqual({ b: '1' })
})

test('projects beyond the bound lose their folder, those longest without activity first', async () => {
  const { dataDir, apply } = await openMirrored()
  for (const project of ['one', 'two', 'three']) await apply({ a: project }, [], project)
  await expect.poll(() => readdir(join(dataDir, 'projects/one'))).toEqual(['files.pack'])
  expect(await apply({ a: 'again' }, [], 'one')).toEqual({ a: 'again' })
})

test('a deleted project leaves no folder, also while its files are being laid out', async () => {
  const { store, dataDir } = await openMirrored()
  for (let i = 0; i < 5; i++) {
    const contents = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`d${n % 7}/f${n}`, `${i}`]))
    await store.files.apply('demo', { files: filesOf(contents), deleted: [] })
    const folder = join(dataDir, 'projects/demo/frontend')
    await expect.poll(() => readdir(folder).catch(() => []), { interval: 1 }).not.toEqual([])
    await store.projects.delete('demo')
    expect(await readdir(join(dataDir, 'projects'))).toEqual([])
  }
})

test('it can be switched off', async () => {
  const dataDir = await makeDataDir()
  const store = await openTestStore(dataDir, { mirror: false })
  await store.files.apply('demo', { files: filesOf({ a: '1' }), deleted: [] })
  await store.close()
  expect(await readdir(join(dataDir, 'projects/demo'))).toEqual(['files.pack'])
})
