import { execFileSync } from 'node:child_process'
import { link, mkdir, rename, rm, symlink, utimes } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Source } from '../../src/model/source.ts'
import { openLocalSource } from '../../src/source/local.ts'
import { tempFolder } from './temp-folder.ts'

const { signal } = new AbortController()

const open = (path: string, roots = [path]) => openLocalSource({ path, roots })

async function paths(source: Source): Promise<string[]> {
  const files = await Array.fromAsync(source.list(signal))
  return files.map(({ path }) => path).toSorted()
}

async function text(source: Source, path: string): Promise<string | undefined> {
  const file = await source.find(path, signal)
  const content = file && (await source.read(file, signal))
  return content && Buffer.concat(await Array.fromAsync(content)).toString()
}

test('lists what a project consists of, and not what tools left beside it', async () => {
  await using folder = await tempFolder({
    'package.json': '{}',
    'src/main.js': 'x',
    'dist/index.js': '',
    'node_modules/a/index.js': '',
    '.git/HEAD': '',
    'coverage/index.html': '',
    'src/.main.js.swp': '',
    'src/main.js~': '',
    'src/#main.js#': '',
    '.DS_Store': '',
    'packages/b/package.json': '{}',
    'packages/b/dist/b.js': '',
    'docs/dist/is-content.md': '',
  })
  const source = await open(folder.path)
  expect(await paths(source)).toEqual([
    'docs/dist/is-content.md',
    'package.json',
    'packages/b/package.json',
    'src/main.js',
  ])
  expect(await source.find('dist/index.js', signal)).toBeUndefined()
  expect(await source.find('node_modules/a/index.js', signal)).toBeUndefined()
})

test('a folder of plain pages may be called dist, and a .gitignore can take an output back', async () => {
  await using folder = await tempFolder({ 'dist/index.html': '' })
  expect(await paths(await open(folder.path))).toEqual(['dist/index.html'])
  await folder.write('package.json', '{}')
  expect(await paths(await open(folder.path))).toEqual(['package.json'])
  await folder.write('.gitignore', '!dist/\n')
  expect(await paths(await open(folder.path))).toEqual(['.gitignore', 'dist/index.html', 'package.json'])
})

test('files that .gitignore leaves out are neither listed nor found, but for the .env files of tools', async () => {
  await using folder = await tempFolder({
    '.gitignore': '*.log\n.env*\nsecret/\n',
    'a.log': '',
    '.env.local': 'VITE_A=1',
    'secret/key.txt': '',
    'src/.env': '',
    'src/.gitignore': 'made.ts\n',
    'src/made.ts': '',
  })
  const source = await open(folder.path)
  expect(await paths(source)).toEqual(['.env.local', '.gitignore', 'src/.env', 'src/.gitignore'])
  for (const path of ['a.log', 'secret/key.txt', 'src/made.ts']) {
    expect(await source.find(path, signal)).toBeUndefined()
  }
  expect(await text(source, '.env.local')).toBe('VITE_A=1')
})

test('links are not followed, to files, folders, or above, and what is no file is not listed', async () => {
  await using outside = await tempFolder({ 'secret.txt': 'canary' })
  await using folder = await tempFolder({ 'in/a.txt': 'a' })
  await symlink(join(outside.path, 'secret.txt'), join(folder.path, 'file-link.txt'))
  await symlink(outside.path, join(folder.path, 'folder-link'))
  await symlink('in', join(folder.path, 'inner-link'))
  execFileSync('mkfifo', [join(folder.path, 'pipe')])
  const server = createServer().listen(join(folder.path, 'socket'))
  const source = await open(folder.path)
  expect(await paths(source)).toEqual(['in/a.txt'])
  const leading = ['file-link.txt', 'folder-link/secret.txt', 'inner-link/a.txt', 'pipe', 'socket']
  for (const path of [...leading, '../secret.txt', '/etc/passwd', '']) {
    expect(await source.find(path, signal), path).toBeUndefined()
    expect(await source.read({ path, size: 6, version: '' }, signal), path).toBeUndefined()
  }
  server.close()
})

test('a folder that is exchanged for a link after it was listed gives nothing away', async () => {
  await using outside = await tempFolder({ 'a.txt': 'canary' })
  await using folder = await tempFolder({ 'in/a.txt': 'a' })
  const source = await open(folder.path)
  const [listed] = await Array.fromAsync(source.list(signal))
  await rename(join(folder.path, 'in'), join(folder.path, 'was-in'))
  await symlink(outside.path, join(folder.path, 'in'))
  expect(listed && (await source.read(listed, signal))).toBeUndefined()
  expect(await paths(source)).toEqual(['was-in/a.txt'])
})

test('the project itself may be exchanged for a link: then nothing is read any more', async () => {
  await using outside = await tempFolder({ 'a.txt': 'canary' })
  await using folder = await tempFolder({ 'app/a.txt': 'a' })
  const source = await open(join(folder.path, 'app'), [folder.path])
  await rename(join(folder.path, 'app'), join(folder.path, 'old'))
  await symlink(outside.path, join(folder.path, 'app'))
  expect(await source.find('a.txt', signal)).toBeUndefined()
  await expect(paths(source)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
})

test('another content is another version, also where its time and size were set back', async () => {
  await using folder = await tempFolder({ 'a.txt': 'one' })
  const source = await open(folder.path)
  const before = await source.find('a.txt', signal)
  const time = new Date(1_700_000_000_000)
  await folder.write('a.txt', 'two')
  await utimes(join(folder.path, 'a.txt'), time, time)
  const written = await source.find('a.txt', signal)
  await folder.write('a.txt', 'six')
  await utimes(join(folder.path, 'a.txt'), time, time)
  const after = await source.find('a.txt', signal)
  expect(new Set([before?.version, written?.version, after?.version]).size).toBe(3)
  expect(written && (await source.read(written, signal))).toBeUndefined()
})

test('a file that is changed while it is read is not given out as if it were whole', async () => {
  await using folder = await tempFolder({ 'big.txt': 'a'.repeat(1_000_000) })
  const source = await open(folder.path)
  const file = await source.find('big.txt', signal)
  const content = file && (await source.read(file, signal))
  const read = async () => {
    let chunks = 0
    for await (const _ of content ?? []) if (chunks++ === 0) await folder.write('big.txt', 'short')
  }
  await expect(read()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  expect(await text(source, 'big.txt')).toBe('short')
})

test('an empty file, a file with two names and one with an odd name are read', async () => {
  await using folder = await tempFolder({ empty: '', 'ünï – 文字.txt': 'odd' })
  await link(join(folder.path, 'empty'), join(folder.path, 'also-empty'))
  const source = await open(folder.path)
  expect(await text(source, 'empty')).toBe('')
  expect(await text(source, 'also-empty')).toBe('')
  expect(await text(source, 'ünï – 文字.txt')).toBe('odd')
  const fetched = await source.fetch?.('ünï – 文字.txt', signal)
  expect(Buffer.concat(await Array.fromAsync(fetched?.content ?? [])).toString()).toBe('odd')
})

test('only folders below the roots of the operator are opened, whatever links say', async () => {
  await using outside = await tempFolder()
  await using allowed = await tempFolder({ 'app/a.txt': '' })
  await symlink(outside.path, join(allowed.path, 'way-out'))
  const refused = [outside.path, '/', `${allowed.path}-beside`, join(allowed.path, 'way-out'), 'relative']
  for (const path of refused) {
    const opened = openLocalSource({ path, roots: [allowed.path] })
    await expect(opened, path).rejects.toMatchObject({ code: 'SETTINGS_INVALID' })
  }
  await expect(openLocalSource({ path: allowed.path, roots: [] })).rejects.toMatchObject({
    code: 'SETTINGS_INVALID',
  })
  expect(await paths(await open(join(allowed.path, 'app'), [allowed.path]))).toEqual(['a.txt'])
})

test('a folder that is not there, or goes away, is not found', async () => {
  await using folder = await tempFolder({ 'app/a.txt': '' })
  const app = join(folder.path, 'app')
  await expect(open(join(app, 'b'), [folder.path])).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
  const source = await open(app)
  await rm(app, { recursive: true })
  await expect(paths(source)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
  await mkdir(app)
  expect(await paths(source)).toEqual([])
})

test('a hostile .gitignore with many stars does not hold the server up', async () => {
  const stars = `${'*a'.repeat(30)}b\n`
  await using folder = await tempFolder({ '.gitignore': stars, [`${'a'.repeat(250)}.c`]: '' })
  expect(await paths(await open(folder.path))).toHaveLength(2)
})

test('a listing ends when it is given up', async () => {
  await using folder = await tempFolder({ 'a.txt': '' })
  const source = await open(folder.path)
  await expect(Array.fromAsync(source.list(AbortSignal.abort()))).rejects.toThrow('aborted')
})
