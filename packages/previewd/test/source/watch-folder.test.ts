import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { watchFolder } from '../../src/source/watch-folder.ts'
import { tempFolder } from './temp-folder.ts'

type Told = readonly string[] | undefined

/** What was told since the watch was ready. */
async function watched(root: string): Promise<{ told: Told[]; paths: () => string[] } & AsyncDisposable> {
  const told: Told[] = []
  const ready = Promise.withResolvers<void>()
  const watch = watchFolder(root, {
    keeps: (path) => path.endsWith('.env.local'),
    onChange: (paths) => {
      told.push(paths)
      ready.resolve()
    },
  })
  await ready.promise
  told.length = 0
  return {
    told,
    paths: () => [...new Set(told.flatMap((paths) => paths ?? []))].toSorted(),
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  }
}

test('a save is told by its path, a new, a deleted and a renamed file too', async () => {
  await using folder = await tempFolder({ 'src/a.js': '1', 'src/b.js': '1', 'src/c.js': '1' })
  await using watch = await watched(folder.path)
  await folder.write('src/a.js', '2')
  await expect.poll(watch.paths).toEqual(['src/a.js'])
  await folder.write('src/new/d.js', '1')
  await expect.poll(watch.paths).toContain('src/new/d.js')
  await rm(join(folder.path, 'src/b.js'))
  await expect.poll(watch.paths).toContain('src/b.js')
  await rename(join(folder.path, 'src/c.js'), join(folder.path, 'src/e.js'))
  await expect.poll(watch.paths).toEqual(['src/a.js', 'src/b.js', 'src/c.js', 'src/e.js', 'src/new/d.js'])
})

test('many files that are saved at once are told at once', async () => {
  const names = Array.from({ length: 40 }, (_, at) => `src/${at}.js`)
  await using folder = await tempFolder(Object.fromEntries(names.map((name) => [name, '1'])))
  await using watch = await watched(folder.path)
  await Promise.all(names.map((name) => writeFile(join(folder.path, name), '2')))
  await expect.poll(watch.paths).toEqual(names.toSorted())
  expect(watch.told.length).toBeLessThan(names.length)
})

test('what is left out is not told, unless it is kept', async () => {
  await using folder = await tempFolder({
    '.gitignore': '*.log\ntmp/\n.env.local\n',
    'package.json': '{}',
    'tmp/a': '',
    'dist/a.js': '',
    'node_modules/a/a.js': '',
  })
  await using watch = await watched(folder.path)
  for (const name of [
    'a.log',
    'tmp/a',
    'tmp/b/c',
    'dist/a.js',
    'node_modules/a/a.js',
    '.env.local',
    '.a.js.swp',
    'a.js~',
  ]) {
    await folder.write(name, '2')
  }
  await folder.write('last.js', '')
  await expect.poll(watch.paths).toContain('last.js')
  expect(watch.paths()).toEqual(['.env.local', 'last.js'])
})

test('where a .gitignore changes, anything may have changed, and what it takes back is followed', async () => {
  await using folder = await tempFolder({ '.gitignore': 'made/\n', 'made/a.js': '' })
  await using watch = await watched(folder.path)
  await folder.write('.gitignore', '')
  await expect.poll(() => watch.told).toContain(undefined)
  await folder.write('made/a.js', '2')
  await expect.poll(watch.paths).toContain('made/a.js')
})

test('a folder that goes away and comes back is followed again', async () => {
  await using folder = await tempFolder({ 'app/a.js': '1' })
  const app = join(folder.path, 'app')
  await using watch = await watched(app)
  await rm(app, { recursive: true })
  await expect.poll(() => watch.told).toContain(undefined)
  await mkdir(app)
  await expect.poll(() => watch.told.filter((paths) => paths === undefined).length).toBeGreaterThan(1)
  await expect
    .poll(async () => {
      await writeFile(join(app, 'b.js'), '2')
      return watch.paths()
    })
    .toContain('b.js')
})

test('more changes than are counted one by one are told as anything', async () => {
  await using folder = await tempFolder({ 'a.js': '' })
  await using watch = await watched(folder.path)
  await Promise.all(Array.from({ length: 700 }, (_, at) => writeFile(join(folder.path, `${at}.js`), '')))
  await expect.poll(() => watch.told.includes(undefined) || watch.paths().length >= 700).toBe(true)
  expect(watch.told.every((paths) => paths === undefined || paths.length <= 500)).toBe(true)
})

test('nothing is told after the end', async () => {
  await using folder = await tempFolder({ 'a.js': '' })
  const watch = await watched(folder.path)
  await folder.write('a.js', '2')
  await watch[Symbol.asyncDispose]()
  const { length } = watch.told
  await folder.write('a.js', '3')
  await using second = await watched(folder.path)
  await folder.write('a.js', '4')
  await expect.poll(second.paths).toEqual(['a.js'])
  expect(watch.told).toHaveLength(length)
})
