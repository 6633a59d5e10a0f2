import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createArtifacts, type DiskArtifacts } from '../../src/artifact/artifacts.ts'

const PROJECT = 'demo'
const BUILD = 'abcdef123456'
const TEXT = Buffer.from('console.log("hello");\n'.repeat(400))

let dataDir: string
let artifacts: DiskArtifacts

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'artifacts-'))
  artifacts = createArtifacts({ dataDir, cacheBytes: 1024 * 1024 })
})

afterEach(async () => {
  artifacts.close()
  await rm(dataDir, { recursive: true, force: true })
})

async function make(files: Record<string, Buffer | string>, buildId = BUILD): Promise<void> {
  const writer = await artifacts.create(PROJECT, buildId)
  for (const [path, content] of Object.entries(files)) await writer.add(path, Buffer.from(content))
  await writer.seal()
}

async function* inChunks(content: Buffer, size: number): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size)
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: { code?: string }) => error.code,
  )

describe('an artifact', () => {
  test('gives back every file as it was added, with its size and hash', async () => {
    const writer = await artifacts.create(PROJECT, BUILD)
    const entry = await writer.add('assets/app.js', inChunks(TEXT, 1000))
    await writer.add('index.html', Buffer.from('<h1>hello</h1>'))
    expect(await writer.seal()).toEqual({ files: 2, bytes: TEXT.length + 14 })
    const artifact = await artifacts.open(PROJECT, BUILD)
    expect([...artifact.files.keys()]).toEqual(['assets/app.js', 'index.html'])
    expect(artifact.files.get('assets/app.js')).toMatchObject({ size: TEXT.length, sha256: entry.sha256 })
    expect(await artifact.read('assets/app.js')).toEqual(TEXT)
    expect(await artifact.read('index.html', 'identity', { start: 4, end: 9 })).toEqual(Buffer.from('hello'))
  })

  test('does not exist before it is sealed, nor after it was aborted', async () => {
    const writer = await artifacts.create(PROJECT, BUILD)
    await writer.add('index.html', Buffer.from('half'))
    expect(await failure(artifacts.open(PROJECT, BUILD))).toBe('BUILD_NOT_FOUND')
    await writer.abort()
    expect(await failure(artifacts.open(PROJECT, BUILD))).toBe('BUILD_NOT_FOUND')
    expect(await readdir(join(dataDir, 'projects', PROJECT, 'builds', BUILD))).toEqual([])
  })

  test('leaves nothing of a build that a killed server had begun', async () => {
    await make({ 'index.html': 'one' })
    const directory = join(dataDir, 'projects', PROJECT, 'builds', BUILD)
    await writeFile(join(directory, 'artifact.pack.0123456789ab.new'), 'half')
    await make({ 'index.html': 'two' })
    expect(await readdir(directory)).toEqual(['artifact.pack'])
    const artifact = await artifacts.open(PROJECT, BUILD)
    expect(String(await artifact.read('index.html'))).toBe('two')
  })

  test('is read anew by a server that starts later', async () => {
    await make({ 'index.html': 'kept' })
    artifacts.close()
    artifacts = createArtifacts({ dataDir, cacheBytes: 1024 })
    const artifact = await artifacts.open(PROJECT, BUILD)
    expect(String(await artifact.read('index.html'))).toBe('kept')
  })

  test('reads a large file by range without keeping it in memory', async () => {
    const large = Buffer.alloc(3_000_000, 'abcdefghij')
    await make({ 'video.mp4': large })
    const artifact = await artifacts.open(PROJECT, BUILD)
    const range = { start: 1_999_999, end: 2_500_001 }
    expect(
      (await artifact.read('video.mp4', 'identity', range)).equals(large.subarray(range.start, range.end)),
    ).toBe(true)
    expect((await artifact.read('video.mp4')).equals(large)).toBe(true)
  })

  test('has no file that it was not given', async () => {
    await make({ 'index.html': 'x' })
    const artifact = await artifacts.open(PROJECT, BUILD)
    expect(await failure(artifact.read('toString'))).toBe('FILE_NOT_FOUND')
    expect(artifact.encodings('__proto__').size).toBe(0)
  })

  test('is gone when it was removed, and a second removal is no error', async () => {
    await make({ 'index.html': 'x' })
    await artifacts.open(PROJECT, BUILD)
    await artifacts.remove(PROJECT, BUILD)
    await artifacts.remove(PROJECT, BUILD)
    expect(await failure(artifacts.open(PROJECT, BUILD))).toBe('BUILD_NOT_FOUND')
  })

  test('stays readable through more open artifacts than files may be open', async () => {
    const ids = Array.from({ length: 300 }, (_, index) => `build${String(index).padStart(7, '0')}`)
    for (const id of ids) await make({ 'index.html': id.repeat(30_000) }, id)
    const opened = await Promise.all(ids.map((id) => artifacts.open(PROJECT, id)))
    const contents = await Promise.all(opened.map((artifact) => artifact.read('index.html')))
    expect(contents.map((content) => content.toString('utf8', 0, 12))).toEqual(ids)
  })
})

describe('names of an output', () => {
  const refused = [
    '',
    '/etc/passwd',
    '../x',
    'a/../b',
    './a',
    'a//b',
    'a/',
    'a\\b',
    'a\0b',
    'a\nb',
    'x'.repeat(1025),
    '\ud800',
  ]
  test.each(refused)('%j is refused and nothing of it is stored', async (path) => {
    const writer = await artifacts.create(PROJECT, BUILD)
    expect(await failure(writer.add(path, Buffer.from('x')))).toBe('INVALID_PATH')
    await writer.seal()
    expect((await artifacts.open(PROJECT, BUILD)).files.size).toBe(0)
  })

  test.each(['a b.txt', 'ünï/cödé.html', '__proto__', 'constructor/index.html', '.vite/manifest.json'])(
    '%j is taken',
    async (path) => {
      await make({ [path]: 'x' })
      expect([...(await artifacts.open(PROJECT, BUILD)).files.keys()]).toEqual([path])
    },
  )

  test('ids that are no folder names have no artifact', async () => {
    expect(await failure(artifacts.open('..', BUILD))).toBe('BUILD_NOT_FOUND')
    expect(await failure(artifacts.open(PROJECT, '../../x'))).toBe('BUILD_NOT_FOUND')
  })
})

describe('compressing', () => {
  test('adds variants of text that decompress to the same bytes, also to an artifact that is open', async () => {
    await make({ 'assets/app.js': TEXT, 'logo.png': TEXT, 'small.css': 'a{}' })
    const artifact = await artifacts.open(PROJECT, BUILD)
    expect([...artifact.encodings('assets/app.js').keys()]).toEqual(['identity'])
    await artifacts.compress(PROJECT, BUILD)
    expect([...artifact.encodings('assets/app.js').keys()]).toEqual(['identity', 'gzip', 'br'])
    expect(gunzipSync(await artifact.read('assets/app.js', 'gzip'))).toEqual(TEXT)
    expect(brotliDecompressSync(await artifact.read('assets/app.js', 'br'))).toEqual(TEXT)
    expect([...artifact.encodings('logo.png').keys()]).toEqual(['identity'])
    expect([...artifact.encodings('small.css').keys()]).toEqual(['identity'])
    expect(artifact.encodings('assets/app.js').get('br')?.size).toBeLessThan(TEXT.length / 10)
  })

  test('is done once for calls that come together, and again costs nothing', async () => {
    await make({ 'app.js': TEXT })
    await Promise.all([artifacts.compress(PROJECT, BUILD), artifacts.compress(PROJECT, BUILD)])
    await artifacts.compress(PROJECT, BUILD)
    const files = await readdir(join(dataDir, 'projects', PROJECT, 'builds', BUILD))
    expect(files.sort()).toEqual(['artifact.pack', 'encoded.pack'])
  })

  test('of a build that does not exist rejects', async () => {
    expect(await failure(artifacts.compress(PROJECT, 'nothing00000'))).toBe('BUILD_NOT_FOUND')
  })

  test('variants of a build that is made again are of the new bytes', async () => {
    await make({ 'app.js': TEXT })
    await artifacts.compress(PROJECT, BUILD)
    await make({ 'app.js': Buffer.concat([TEXT, TEXT]) })
    expect([...(await artifacts.open(PROJECT, BUILD)).encodings('app.js').keys()]).toEqual(['identity'])
  })
})
