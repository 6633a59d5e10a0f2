import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { extract } from 'tar-stream'
import { expect, test } from 'vitest'
import { listProjectFiles, tarOf } from '../../src/cli/project-files.ts'
import { projectFolder } from './project-folder.ts'

async function paths(files: Record<string, string>): Promise<string[]> {
  await using folder = await projectFolder(files)
  return (await listProjectFiles(folder.path)).map(({ path }) => path)
}

test('node_modules and .git are never sent, wherever they stand', async () => {
  const files = {
    'a.txt': '',
    'node_modules/x/i.js': '',
    '.git/HEAD': '',
    'packages/b/node_modules/y.js': '',
  }
  expect(await paths(files)).toEqual(['a.txt'])
})

test('.gitignore leaves out files, folders and patterns, and takes back what it excepts', async () => {
  const files = {
    '.gitignore': 'dist/\n*.log\n!keep.log\n/only-top.txt\n',
    'dist/out.js': '',
    'error.log': '',
    'keep.log': '',
    'only-top.txt': '',
    'src/only-top.txt': '',
  }
  expect(await paths(files)).toEqual(['.gitignore', 'keep.log', 'src/only-top.txt'])
})

test('a .gitignore further in has the last word for its own folder', async () => {
  const files = {
    '.gitignore': '*.txt\n',
    'a.txt': '',
    'docs/.gitignore': '!*.txt\nsecret.txt\n',
    'docs/b.txt': '',
    'docs/secret.txt': '',
    'docs/deep/c.txt': '',
  }
  expect(await paths(files)).toEqual(['.gitignore', 'docs/.gitignore', 'docs/b.txt', 'docs/deep/c.txt'])
})

test('what tools write beside a package.json is left out, unless .gitignore takes it back', async () => {
  const files = { 'package.json': '{}', 'dist/a.js': '', 'web/dist/b.js': '' }
  expect(await paths(files)).toEqual(['package.json', 'web/dist/b.js'])
  expect(await paths({ ...files, '.gitignore': '!/dist/\n' })).toContain('dist/a.js')
})

test('symbolic links are left out', async () => {
  await using folder = await projectFolder({ 'a.txt': 'x' })
  await symlink('/etc', join(folder.path, 'etc'))
  await symlink('a.txt', join(folder.path, 'b.txt'))
  await mkdir(join(folder.path, 'empty'))
  expect(await listProjectFiles(folder.path)).toEqual([{ path: 'a.txt', sizeBytes: 1 }])
})

test('the archive holds every file with its content, long and non-ASCII names too', async () => {
  const long = `${'folder/'.repeat(30)}ünïcode – 文字.txt`
  await using folder = await projectFolder({ 'a.txt': 'one', [long]: 'two', empty: '' })
  const files = await listProjectFiles(folder.path)
  const told: number[] = []
  const reader = extract()
  const read: Record<string, string> = {}
  reader.on('entry', async (header, stream, next) => {
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    read[header.name] = Buffer.concat(chunks).toString()
    next(null)
  })
  // streamx streams are fine for pipeline; the types of tar-stream do not say so.
  await pipeline(
    tarOf(folder.path, files, (at) => told.push(at)),
    reader as unknown as Writable,
  )
  expect(read).toEqual({ 'a.txt': 'one', [long]: 'two', empty: '' })
  expect(told).toEqual([0, 1, 2])
})

test('a file that goes away while it is read makes the archive fail', async () => {
  await using folder = await projectFolder({ 'a.txt': 'one' })
  const archive = tarOf(folder.path, [{ path: 'gone.txt', sizeBytes: 3 }], () => undefined)
  await expect(Array.fromAsync(archive)).rejects.toThrow('ENOENT')
})
