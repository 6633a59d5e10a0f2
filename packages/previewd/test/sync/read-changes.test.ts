import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { type Header, pack } from 'tar-stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { IncomingFile } from '../../src/model/files.ts'
import { type ReadBatch, readChanges } from '../../src/sync/read-changes.ts'

const MIB = 1024 * 1024
const LIMITS = { fileBytes: 2 * MIB, projectBytes: 20 * MIB, files: 100, bodyBytes: 8 * MIB }

let tmpDir: string
beforeEach(async () => {
  tmpDir = await mkdtemp(join(tmpdir(), 'previewd-sync-'))
})
afterEach(() => rm(tmpDir, { recursive: true }))

interface Sent {
  type: string
  body: Buffer | string
  encoding?: string
  limits?: Partial<typeof LIMITS>
  query?: Record<string, unknown>
  chunkBytes?: number
}

function send({
  type,
  body,
  encoding,
  limits,
  query = {},
  chunkBytes = 64 * 1024,
}: Sent): Promise<ReadBatch> {
  const bytes = Buffer.from(body)
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += chunkBytes) chunks.push(bytes.subarray(at, at + chunkBytes))
  const headers = { 'content-type': type, ...(encoding !== undefined && { 'content-encoding': encoding }) }
  const options = { limits: { ...LIMITS, ...limits }, tmpDir, query }
  return readChanges({ headers, body: Readable.from(chunks, { objectMode: false }) }, options)
}

async function contentOf(file: IncomingFile): Promise<Buffer> {
  if ('content' in file) return file.content
  const { file: name, offset, size, sha256 } = file.spooled
  const content = (await readFile(name)).subarray(offset, offset + size)
  expect(createHash('sha256').update(content).digest('hex')).toBe(sha256)
  return content
}

async function contentsOf(batch: ReadBatch): Promise<Record<string, string>> {
  const contents: Record<string, string> = Object.create(null)
  for (const file of batch.files) contents[file.path] = (await contentOf(file)).toString('latin1')
  return contents
}

/** What a refused body must leave behind. */
async function expectRefused(sent: Sent, code: string, detail = ''): Promise<void> {
  const error: Error = await send(sent).then(
    () => expect.fail('it was accepted'),
    (reason) => reason,
  )
  expect(error).toMatchObject({ code, message: expect.stringContaining(detail) })
  expect(await readdir(tmpDir)).toEqual([])
}

type Entry = Partial<Header> & { name: string; content?: Buffer | string }

async function tarOf(entries: Entry[]): Promise<Buffer> {
  const archive = pack()
  for (const { content = '', ...header } of entries) archive.entry(header, content)
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function formOf(parts: [string, string | Buffer, string?][]): Promise<{ type: string; body: Buffer }> {
  const form = new FormData()
  for (const [name, content, filename] of parts) {
    if (filename === undefined) form.append(name, content.toString())
    else form.append(name, new Blob([new Uint8Array(Buffer.from(content))]), filename)
  }
  const response = new Response(form)
  return { type: response.headers.get('content-type') ?? '', body: Buffer.from(await response.arrayBuffer()) }
}

describe('a JSON body', () => {
  const json = (value: unknown): Sent => ({ type: 'application/json', body: JSON.stringify(value) })

  test('gives texts, base64 contents, deletions and the base revision', async () => {
    const read = await send(
      json({
        files: {
          'a.txt': 'é',
          'b.bin': { encoding: 'base64', content: '/w==' },
          c: { encoding: 'utf8', content: 'x' },
        },
        deleted: ['d', 'd'],
        baseRevision: 3,
      }),
    )
    expect(await contentsOf(read)).toEqual({ 'a.txt': 'Ã©', 'b.bin': 'ÿ', c: 'x' })
    expect(read).toMatchObject({ deleted: ['d'], baseRevision: 3 })
    expect(read.replaceAll).toBeUndefined()
  })

  test('may be a full upload by its query', async () => {
    const read = await send({ ...json({ files: { a: '' } }), query: { replace: 'true', baseRevision: '4' } })
    expect(read).toMatchObject({ replaceAll: true, baseRevision: 4 })
  })

  test('may name files like members of every object', async () => {
    const read = await send({
      type: 'application/json',
      body: '{"files":{"__proto__":"a","constructor":"b"}}',
    })
    expect(read.files.map(({ path }) => path)).toEqual(['__proto__', 'constructor'])
    expect(({} as Record<string, unknown>).a).toBeUndefined()
  })

  test('may be gzipped', async () => {
    const body = gzipSync(JSON.stringify({ files: { a: 'b' } }))
    expect(
      await contentsOf(await send({ type: 'application/json; charset=utf-8', body, encoding: 'gzip' })),
    ).toEqual({ a: 'b' })
  })

  test.each([
    [[], 'BAD_REQUEST', 'JSON object'],
    [null, 'BAD_REQUEST', 'JSON object'],
    [{ files: [] }, 'BAD_REQUEST', '"files"'],
    [{ files: { a: 1 } }, 'BAD_REQUEST', '"a"'],
    [{ files: { a: null } }, 'BAD_REQUEST', '"a"'],
    [{ files: { a: {} } }, 'BAD_REQUEST', 'content'],
    [{ files: { a: { encoding: 'hex', content: '' } } }, 'BAD_REQUEST', 'encoding'],
    [{ files: { a: { encoding: 'base64', content: 'a' } } }, 'BAD_REQUEST', 'base64'],
    [{ files: { a: { encoding: 'base64', content: 'ab=c' } } }, 'BAD_REQUEST', 'base64'],
    [{ files: { a: { encoding: 'base64', content: 'YQ==\n' } } }, 'BAD_REQUEST', 'base64'],
    [{ deleted: 'a' }, 'BAD_REQUEST', '"deleted"'],
    [{ deleted: [1] }, 'BAD_REQUEST', '"deleted"'],
    [{ baseRevision: -1 }, 'BAD_REQUEST', '"baseRevision"'],
    [{ baseRevision: '1' }, 'BAD_REQUEST', '"baseRevision"'],
    [{ baseRevision: 1.5 }, 'BAD_REQUEST', '"baseRevision"'],
    [{ delete: ['a'] }, 'BAD_REQUEST', '"delete"'],
    [{ files: { a: '' }, deleted: ['a'] }, 'BAD_REQUEST', '"a"'],
    [{ files: { '../a': '' } }, 'INVALID_PATH', '"../a"'],
    [{ deleted: ['/a'] }, 'INVALID_PATH', '"/a"'],
    [{ files: { a: 'x'.repeat(2 * MIB + 1) } }, 'FILE_TOO_LARGE', '"a"'],
  ])('%j is refused with %s', async (value, code, detail) => {
    await expectRefused(json(value), code, detail)
  })

  test('that is not JSON is refused with the place', async () => {
    await expectRefused({ type: 'application/json', body: '{"files":{"a":"b",}}' }, 'INVALID_JSON', '18')
    await expectRefused({ type: 'application/json', body: '' }, 'INVALID_JSON')
    await expectRefused(
      { type: 'application/json', body: Buffer.from([0x22, 0xff, 0x22]) },
      'INVALID_JSON',
      'UTF-8',
    )
  })

  test('with too many files is refused', async () => {
    const files = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`f${i}`, '']))
    await expectRefused(json({ files }), 'TOO_MANY_FILES')
  })
})

describe('a multipart body', () => {
  test('gives files by the names of parts, and by file names where the part names say nothing', async () => {
    const sent = await formOf([
      ['index.html', '<h1>'],
      ['src/é/App.tsx', 'app', 'App.tsx'],
      ['files', 'x', 'public/x.png'],
      ['deleted', '["old","older"]'],
      ['deleted', 'oldest'],
      ['baseRevision', '7'],
    ])
    for (const chunkBytes of [1, 7, 100_000]) {
      const read = await send({ ...sent, chunkBytes })
      expect(await contentsOf(read)).toEqual({
        'index.html': '<h1>',
        'src/é/App.tsx': 'app',
        'public/x.png': 'x',
      })
      expect(read).toMatchObject({ deleted: ['old', 'older', 'oldest'], baseRevision: 7 })
    }
  })

  test('spools what is large and many, and removes it', async () => {
    const large = randomBytes(MIB)
    const read = await send(
      await formOf([
        ['a', large, 'a'],
        ['b', 'small', 'b'],
        ['c', large, 'c'],
      ]),
    )
    expect(await contentsOf(read)).toEqual({
      a: large.toString('latin1'),
      b: 'small',
      c: large.toString('latin1'),
    })
    expect(read.files.map((file) => 'spooled' in file)).toEqual([true, false, true])
    expect(await readdir(tmpDir)).toHaveLength(1)
    await read[Symbol.asyncDispose]()
    expect(await readdir(tmpDir)).toEqual([])
  })

  test.each([
    ['a path that is not allowed', [['../x', 'x']], 'INVALID_PATH'],
    ['a file that is too large', [['x', Buffer.alloc(2 * MIB + 1), 'x']], 'FILE_TOO_LARGE'],
    ['too many files', Array.from({ length: 101 }, (_, i) => [`f${i}`, '']), 'TOO_MANY_FILES'],
    ['a broken list of deletions', [['deleted', '["a"']], 'INVALID_JSON'],
    ['a base revision that is no number', [['baseRevision', '1x']], 'BAD_REQUEST'],
    ['a list with something else in it', [['deleted', '[1]']], 'BAD_REQUEST'],
  ] as [string, [string, string | Buffer, string?][], string][])(
    'with %s is refused',
    async (_, parts, code) => {
      await expectRefused(await formOf(parts), code)
    },
  )

  test('that ends early is refused, wherever it ends', async () => {
    const { type, body } = await formOf([
      ['a', 'x'.repeat(300_000), 'a'],
      ['b', 'y', 'b'],
    ])
    for (const end of [0, 10, 60, 200, 5000, 299_000, body.length - 10]) {
      await expectRefused({ type, body: body.subarray(0, end) }, 'BAD_REQUEST')
    }
    await expectRefused({ type: 'multipart/form-data', body }, 'BAD_REQUEST', 'boundary')
  })
})

describe('a tar archive', () => {
  const entries: Entry[] = [
    { name: './', type: 'directory' },
    { name: './src/', type: 'directory' },
    { name: './src/App.tsx', content: 'app' },
    { name: 'public/é.txt', content: 'é' },
    { name: `long/${'x'.repeat(150)}/${'y'.repeat(120)}`, content: '' },
  ]
  const contents = {
    'src/App.tsx': 'app',
    'public/é.txt': 'Ã©',
    [`long/${'x'.repeat(150)}/${'y'.repeat(120)}`]: '',
  }

  test.each([
    ['plain', 'application/x-tar', undefined, false],
    ['gzipped by its encoding', 'application/x-tar', 'gzip', true],
    ['gzipped by its type', 'application/gzip', undefined, true],
    ['gzipped by its other type', 'application/x-gzip', undefined, true],
    ['gzipped by its third type', 'application/tar+gzip', undefined, true],
    ['gzipped without a word of it', 'application/x-tar', undefined, true],
  ])('gives its files: %s', async (_, type, encoding, zipped) => {
    const tar = await tarOf(entries)
    for (const chunkBytes of [13, 100_000]) {
      const read = await send({
        type,
        body: zipped ? gzipSync(tar) : tar,
        chunkBytes,
        ...(encoding && { encoding }),
      })
      expect(await contentsOf(read)).toEqual(contents)
    }
  })

  test.each([
    ['a symbolic link', { type: 'symlink', linkname: '/etc/passwd' }],
    ['a hard link', { type: 'link', linkname: 'x' }],
    ['a device', { type: 'character-device' }],
    ['a FIFO', { type: 'fifo' }],
    ['a contiguous file', { type: 'contiguous-file' }],
    ['a sparse file', { pax: { 'GNU.sparse.major': '1' } }],
    ['a size that is not one', { pax: { size: '0x10' } }],
  ] as [string, Partial<Header>][])('with %s is refused', async (_, header) => {
    await expectRefused(
      { type: 'application/x-tar', body: await tarOf([{ name: 'bad', ...header }]) },
      'INVALID_ARCHIVE',
      '"bad"',
    )
  })

  test.each(['../x', '/x', 'a/../../x', 'node_modules/x'])('with the path %j is refused', async (name) => {
    await expectRefused({ type: 'application/x-tar', body: await tarOf([{ name }]) }, 'INVALID_PATH', name)
  })

  test('with a size in its extended header that is not that of the content is refused', async () => {
    const body = await tarOf([{ name: 'a', content: 'x'.repeat(2000), pax: { size: '100000' } }])
    await expectRefused({ type: 'application/x-tar', body }, 'INVALID_ARCHIVE')
  })

  test('that is damaged or ends early is refused', async () => {
    const tar = await tarOf(entries)
    await expectRefused({ type: 'application/x-tar', body: tar.subarray(0, 1700) }, 'INVALID_ARCHIVE')
    await expectRefused({ type: 'application/x-tar', body: randomBytes(5000) }, 'INVALID_ARCHIVE')
    await expectRefused({ type: 'application/gzip', body: gzipSync(tar).subarray(0, 100) }, 'INVALID_ARCHIVE')
    await expectRefused({ type: 'application/gzip', body: tar }, 'INVALID_ARCHIVE')
  })

  test('of no bytes is refused: the program that should have packed it failed', async () => {
    const query = { replace: '1' }
    await expectRefused({ type: 'application/x-tar', body: '', query }, 'INVALID_ARCHIVE')
    await expectRefused({ type: 'application/gzip', body: gzipSync(''), query }, 'INVALID_ARCHIVE')
  })

  test('of folders without end is refused', async () => {
    const body = gzipSync(
      await tarOf(Array.from({ length: 1500 }, (_, i) => ({ name: `d${i}/`, type: 'directory' as const }))),
    )
    await expectRefused({ type: 'application/gzip', body }, 'TOO_MANY_FILES')
  })

  test('with more bytes than a project may have is refused', async () => {
    const body = await tarOf(
      Array.from({ length: 12 }, (_, i) => ({ name: `f${i}`, content: Buffer.alloc(2 * MIB) })),
    )
    await expectRefused(
      { type: 'application/x-tar', body, limits: { bodyBytes: 100 * MIB } },
      'PROJECT_TOO_LARGE',
    )
    await expectRefused({ type: 'application/x-tar', body }, 'PAYLOAD_TOO_LARGE')
  })

  test('that unpacks to far more than it is, is refused', async () => {
    const zeros = await tarOf([{ name: 'zeros', content: Buffer.alloc(40 * MIB) }])
    const limits = { fileBytes: 1024 * MIB, projectBytes: 1024 * MIB }
    await expectRefused(
      { type: 'application/gzip', body: gzipSync(zeros), limits },
      'PAYLOAD_TOO_LARGE',
      '100 times',
    )
  })
})

test('a body of another type or encoding is refused', async () => {
  await expectRefused({ type: 'text/plain', body: 'x' }, 'UNSUPPORTED_MEDIA_TYPE')
  await expectRefused({ type: '', body: 'x' }, 'UNSUPPORTED_MEDIA_TYPE')
  await expectRefused({ type: 'application/json', body: '{}', encoding: 'br' }, 'UNSUPPORTED_MEDIA_TYPE')
})

test('a body that is announced too large is refused before it is read', async () => {
  const body = Readable.from([])
  const headers = { 'content-type': 'application/json', 'content-length': '8388609' }
  await expect(readChanges({ headers, body }, { limits: LIMITS, tmpDir })).rejects.toMatchObject({
    code: 'PAYLOAD_TOO_LARGE',
  })
})

test('a body whose connection breaks is refused', async () => {
  const body = new PassThrough()
  body.write('{"files":')
  setImmediate(() => body.destroy(new Error('aborted')))
  const headers = { 'content-type': 'application/json' }
  await expect(readChanges({ headers, body }, { limits: LIMITS, tmpDir })).rejects.toMatchObject({
    code: 'BAD_REQUEST',
  })
})
