import { hash } from 'node:crypto'
import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Addition, PackFile } from '../../../src/lib/pack/pack-file.ts'
import { PackWriter } from '../../../src/lib/pack/pack-writer.ts'

let directory: string
let path: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pack-'))
  path = join(directory, 'a.pack')
})
afterEach(() => rm(directory, { recursive: true }))

function addition(name: string, text: string): Addition {
  const content = Buffer.from(text)
  return { path: name, size: content.length, sha256: hash('sha256', content), content }
}

async function contents(pack: PackFile): Promise<Record<string, string>> {
  const all: Record<string, string> = {}
  for (const entry of pack.index.values()) all[entry.path] = (await pack.read(entry)).toString()
  return all
}

async function packOf(...texts: [string, string][]): Promise<PackFile> {
  const pack = await PackFile.create(path)
  await pack.append(
    1,
    texts.map(([name, text]) => addition(name, text)),
    new Set(),
  )
  return pack
}

describe('a pack', () => {
  test('keeps what was appended, in the order of the paths, across opening it again', async () => {
    const pack = await packOf(['b', 'two'], ['a/ü', 'one'], ['empty', ''])
    await pack.append(2, [addition('c', 'three'), addition('b', 'TWO')], new Set(['a/ü']))
    await pack.release()

    const again = await PackFile.open(path)
    expect(again?.sequence).toBe(2)
    expect([...(again?.index.keys() ?? [])]).toEqual(['b', 'c', 'empty'])
    expect(again && (await contents(again))).toEqual({ b: 'TWO', c: 'three', empty: '' })
    await again?.release()
  })

  test('keeps paths that share half a surrogate pair', async () => {
    const pack = await packOf(['\u{1f600}', 'a'], ['\u{1f601}', 'b'])
    await pack.release()
    const again = await PackFile.open(path)
    expect(again && (await contents(again))).toEqual({ '\u{1f600}': 'a', '\u{1f601}': 'b' })
    await again?.release()
  })

  test('serves an older index while newer commits are appended and after its file is gone', async () => {
    const pack = await packOf(['a', 'old'])
    const old = pack.index.get('a')
    await pack.append(2, [addition('a', 'new')], new Set())
    await rm(path)
    expect(old && (await pack.read(old)).toString()).toBe('old')
    await pack.release()
  })

  test('does not write content again that it has', async () => {
    const pack = await packOf(['a', 'x'.repeat(5000)])
    const before = pack.sizeBytes
    await pack.append(2, [addition('b', 'x'.repeat(5000))], new Set())
    expect(pack.sizeBytes - before).toBeLessThan(1000)
    await pack.release()
  })

  test('is cut to the last whole commit at every length of a torn tail', async () => {
    const pack = await packOf(['a', 'one'])
    const first = pack.sizeBytes
    await pack.append(2, [addition('b', 'two')], new Set(['a']))
    const second = pack.sizeBytes
    await pack.release()
    const whole = await readFile(path)
    for (let size = first; size <= second; size++) {
      await writeFile(path, whole.subarray(0, size))
      const opened = await PackFile.open(path, { knownBytes: first, repair: true })
      expect(opened?.sequence).toBe(size === second ? 2 : 1)
      expect((await stat(path)).size).toBe(size === second ? second : first)
      await opened?.release()
    }
  })

  test('rolls forward over several commits that the caller did not know of', async () => {
    const pack = await packOf(['a', 'one'])
    const known = pack.sizeBytes
    for (let i = 2; i < 6; i++) await pack.append(i, [addition('a', `text ${i}`)], new Set())
    await pack.release()
    await appendFile(path, 'torn')
    for (const options of [{ knownBytes: known }, {}, { knownBytes: known - 1 }, { knownBytes: 1e9 }]) {
      const opened = await PackFile.open(path, options)
      expect(opened?.sequence).toBe(5)
      expect(opened && (await contents(opened))).toEqual({ a: 'text 5' })
      await opened?.release()
    }
  })

  test('does not count a commit whose content did not reach the disk', async () => {
    const pack = await packOf(['a', 'one'])
    const known = pack.sizeBytes
    await pack.append(2, [addition('b', 'two')], new Set())
    await pack.release()
    const bytes = await readFile(path)
    bytes.fill(0, known, known + 3)
    await writeFile(path, bytes)
    const opened = await PackFile.open(path, { knownBytes: known, repair: true })
    expect(opened?.sequence).toBe(1)
    await opened?.release()
  })

  test('does not take content for a commit, even where it is a copy of a pack', async () => {
    const pack = await packOf(['a', 'one'])
    const copy = await readFile(path)
    const known = pack.sizeBytes
    await pack.append(
      2,
      [{ path: 'copy', size: copy.length, sha256: hash('sha256', copy), content: copy }],
      new Set(),
    )
    const size = pack.sizeBytes
    await pack.release()
    const rolled = await PackFile.open(path, { knownBytes: known })
    expect(rolled?.sequence).toBe(2)
    await rolled?.release()
    await truncate(path, size - 1)
    const opened = await PackFile.open(path, { knownBytes: known })
    expect(opened?.sequence).toBe(1)
    await opened?.release()
  })

  test('is no pack without a commit, a header or a file', async () => {
    expect(await PackFile.open(path)).toBeUndefined()
    await (await PackFile.create(path)).release()
    expect(await PackFile.open(path)).toBeUndefined()
    await writeFile(path, 'PACK')
    expect(await PackFile.open(path)).toBeUndefined()
  })

  test('stays as it was when an addition is not as long as it claims', async () => {
    const pack = await packOf(['a', 'one'])
    const file = join(directory, 'spooled')
    await writeFile(file, '12345')
    const sources = [
      Buffer.from('12345'),
      { file, offset: 0 },
      { file: join(directory, 'missing'), offset: 0 },
    ]
    for (const content of sources) {
      const bad: Addition = { path: 'b', size: 6, sha256: '00'.repeat(32), content }
      await expect(pack.append(2, [addition('c', 'c'), bad], new Set())).rejects.toThrow()
      expect(await contents(pack)).toEqual({ a: 'one' })
      expect((await stat(path)).size).toBe(pack.sizeBytes)
    }
    await pack.release()
  })

  test('is without garbage after it was copied', async () => {
    const pack = await packOf(['a', 'one'], ['b', 'two'], ['same', 'two'])
    for (let i = 2; i < 9; i++) await pack.append(i, [addition('a', `text ${i}`)], new Set())
    expect(pack.garbageBytes()).toBeGreaterThan(500)
    const copy = await pack.copyTo(join(directory, 'copy'))
    expect(copy?.garbageBytes()).toBe(0)
    expect(copy?.sequence).toBe(8)
    expect(copy && (await contents(copy))).toEqual({ a: 'text 8', b: 'two', same: 'two' })
    await copy?.release()
    await pack.release()
  })

  test('copies and checks content that stands where an empty file does', async () => {
    const pack = await packOf(['a', 'one'])
    const known = pack.sizeBytes
    await pack.append(2, [addition('empty', ''), addition('full', 'content')], new Set())
    const garbageBytes = pack.garbageBytes()
    const copy = await pack.copyTo(join(directory, 'copy'))
    expect(copy && (await contents(copy))).toEqual({ a: 'one', empty: '', full: 'content' })
    expect(pack.sizeBytes - (copy?.sizeBytes ?? 0)).toBeGreaterThanOrEqual(garbageBytes)
    await copy?.release()
    await pack.release()

    const bytes = await readFile(path)
    bytes.fill(0, known, known + 3)
    await writeFile(path, bytes)
    const opened = await PackFile.open(path, { knownBytes: known })
    expect(opened?.sequence).toBe(1)
    await opened?.release()
  })

  test('takes its last commit back', async () => {
    const pack = await packOf(['a', 'one'])
    const before = pack.sizeBytes
    await pack.append(2, [addition('a', 'two')], new Set())
    await pack.revert({ sizeBytes: before })
    expect(pack.sequence).toBe(1)
    expect(await contents(pack)).toEqual({ a: 'one' })
    await pack.release()
  })
})

describe('a pack writer', () => {
  async function* chunks(...texts: string[]): AsyncGenerator<Buffer> {
    for (const text of texts) yield Buffer.from(text)
  }

  test('makes a pack of streamed content that appears when it is sealed', async () => {
    const writer = await PackWriter.create(path)
    const entry = await writer.add('b', chunks('one', 'two'))
    expect({ ...entry }).toEqual({ path: 'b', size: 6, sha256: hash('sha256', 'onetwo') })
    await writer.add('a', Buffer.from('three'))
    expect(await PackFile.open(path)).toBeUndefined()
    await writer.seal(7)
    const pack = await PackFile.open(path)
    expect(pack?.sequence).toBe(7)
    expect(pack && (await contents(pack))).toEqual({ a: 'three', b: 'onetwo' })
    await pack?.release()
  })

  test('leaves nothing behind when it is aborted', async () => {
    const writer = await PackWriter.create(path)
    await writer.add('a', Buffer.from('x'))
    await writer.abort()
    expect(await readdir(directory)).toEqual([])
  })
})
