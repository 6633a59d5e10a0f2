import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ChangeBatch } from '../../src/model/files.ts'
import { ChangeCollector } from '../../src/sync/change-collector.ts'
import { readJson } from '../../src/sync/read-json.ts'
import { readJsonStream } from '../../src/sync/read-json-stream.ts'

const MIB = 1024 * 1024
const LIMITS = { fileBytes: 40 * MIB, projectBytes: 400 * MIB, files: 100, bodyBytes: 400 * MIB }

let tmpDir: string
beforeAll(async () => {
  tmpDir = await mkdtemp(join(tmpdir(), 'previewd-json-'))
})
afterAll(() => rm(tmpDir, { recursive: true }))

async function* chunksOf(text: string | Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

type Reader = (source: AsyncIterable<Buffer>, collector: ChangeCollector) => Promise<void>

/** The batch with its contents as text, or the code of the error. */
async function read(reader: Reader, text: string | Buffer, chunkBytes = 7): Promise<unknown> {
  const collector = new ChangeCollector(LIMITS, tmpDir)
  try {
    await reader(chunksOf(text, chunkBytes), collector)
    return await describeBatch(collector.toBatch({ replaceAll: false }))
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === undefined) throw error
    return code
  } finally {
    await collector.spool.dispose()
  }
}

async function describeBatch({ files, deleted, baseRevision }: ChangeBatch): Promise<unknown> {
  const contents: [string, string][] = []
  for (const file of files) {
    if ('content' in file) contents.push([file.path, file.content.toString('latin1')])
    else {
      const { offset, size } = file.spooled
      contents.push([
        file.path,
        (await readFile(file.spooled.file)).subarray(offset, offset + size).toString('latin1'),
      ])
    }
  }
  // Objects of JSON.parse begin with the names that are numbers.
  return { contents: contents.toSorted(([a], [b]) => (a < b ? -1 : 1)), deleted, baseRevision }
}

const path = fc.constantFrom('a', 'b/c', '__proto__', 'é/日本', '😀', 'index.html')
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('\n\t"\\/\b\f\r\u2028', ''),
)
const file = fc.oneof(
  text,
  fc.record({ content: text }),
  fc.record({ encoding: fc.constant('utf8'), content: text }),
  text.map((content) => ({ encoding: 'base64', content: Buffer.from(content).toString('base64') })),
  text.map((content) => ({ content: Buffer.from(content).toString('base64'), encoding: 'base64' })),
)
const batch = fc.record(
  {
    files: fc.array(fc.tuple(path, file), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    deleted: fc.array(fc.constantFrom('x', 'y', 'z/é'), { maxLength: 3 }),
    baseRevision: fc.nat(),
  },
  { requiredKeys: [] },
)

/** As any JSON writer might: with or without spaces, any character escaped. */
const written = fc
  .tuple(batch, fc.constantFrom(undefined, 1, '\t'), fc.boolean())
  .map(([value, space, escaped]) => {
    const json = JSON.stringify(value, undefined, space)
    return escaped
      ? json.replace(/[\u0080-\uffff/]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
      : json
  })

describe('the reader of large JSON bodies', () => {
  test('gives the same batch as the one of small bodies, however the bytes come', async () => {
    await fc.assert(
      fc.asyncProperty(written, fc.integer({ min: 1, max: 40 }), async (json, chunkBytes) => {
        expect(await read(readJsonStream, json, chunkBytes)).toEqual(await read(readJson, json, 1000))
      }),
      { numRuns: 500 },
    )
  })

  test('refuses what is no JSON wherever it is damaged', async () => {
    await fc.assert(
      fc.asyncProperty(
        written,
        fc.nat(),
        fc.constantFrom('', '"', '\\', '{', '}', ',', 'x', '\u0001', '1', '\\u'),
        fc.nat({ max: 3 }),
        async (json, at, inserted, removed) => {
          const place = at % (json.length + 1)
          const damaged = Buffer.from(json.slice(0, place) + inserted + json.slice(place + removed))
          const streamed = await read(readJsonStream, damaged)
          const parsed = await read(readJson, damaged)
          if (typeof parsed === 'string') expect(typeof streamed).toBe('string')
          else expect(streamed).toEqual(parsed)
        },
      ),
      { numRuns: 1000 },
    )
  })

  test.each([
    ['[]', 'BAD_REQUEST'],
    ['1', 'BAD_REQUEST'],
    ['', 'INVALID_JSON'],
    ['{', 'INVALID_JSON'],
    ['{"files":[]}', 'BAD_REQUEST'],
    ['{"files":{"a":1}}', 'BAD_REQUEST'],
    ['{"files":{"a":{}}}', 'BAD_REQUEST'],
    ['{"files":{"a":{"content":1}}}', 'BAD_REQUEST'],
    ['{"files":{"a":{"content":"","encoding":"hex"}}}', 'BAD_REQUEST'],
    ['{"files":{"a":{"content":"a","encoding":"base64"}}}', 'BAD_REQUEST'],
    ['{"files":{"a":{"content":"YQ==YQ==","encoding":"base64"}}}', 'BAD_REQUEST'],
    ['{"files":{"../a":""}}', 'INVALID_PATH'],
    ['{"files":{"\\ud800":""}}', 'INVALID_PATH'],
    ['{"deleted":[1]}', 'BAD_REQUEST'],
    ['{"deleted":["a",]}', 'INVALID_JSON'],
    ['{"baseRevision":null}', 'BAD_REQUEST'],
    ['{"baseRevision":{}}', 'BAD_REQUEST'],
    ['{"replace":true}', 'BAD_REQUEST'],
    ['{} {}', 'INVALID_JSON'],
    [`{"files":{"${'a'.repeat(10_000)}":""}}`, 'INVALID_JSON'],
    [Buffer.from([0x7b, 0x22, 0xc3, 0x22]), 'INVALID_JSON'],
    [Buffer.from([0x7b, 0x7d, 0xc3]), 'INVALID_JSON'],
  ])('refuses %s with %s', async (body, code) => {
    expect(await read(readJsonStream, body, 3)).toBe(code)
  })

  test('takes over from 8 MiB on, and spools', async () => {
    const large = 'line with "quotes", é and \\ backslashes\n'.repeat(300_000)
    const binary = Buffer.alloc(9 * MIB, 7).toString('base64')
    const json = JSON.stringify({
      files: { small: '1', large, binary: { content: binary, encoding: 'base64' } },
      deleted: ['x'],
    })
    expect(await read(readJson, json, 65_536)).toEqual({
      contents: [
        ['binary', '\x07'.repeat(9 * MIB)],
        ['large', Buffer.from(large).toString('latin1')],
        ['small', '1'],
      ],
      deleted: ['x'],
      baseRevision: undefined,
    })
  })

  test('says at which byte the text is no JSON', async () => {
    const collector = new ChangeCollector(LIMITS, tmpDir)
    const reading = readJson(chunksOf('{"files":{"a":"b",}}', 100), collector)
    await expect(reading).rejects.toMatchObject({
      code: 'INVALID_JSON',
      message: 'Unexpected "}" at byte 18.',
    })
  })
})
