import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { pack } from 'tar-stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PreviewdError } from '../../src/errors.ts'
import { filePathProblem } from '../../src/model/file-path.ts'
import { readChanges } from '../../src/sync/read-changes.ts'

const MIB = 1024 * 1024
const LIMITS = { fileBytes: MIB, projectBytes: 2 * MIB, files: 20, bodyBytes: 4 * MIB }

interface Sent {
  type: string
  body: Buffer
}

let tmpDir: string
let bodies: Sent[]

beforeAll(async () => {
  tmpDir = await mkdtemp(join(tmpdir(), 'previewd-fuzz-'))
  const tar = await tarOf({
    'index.html': '<h1>',
    'src/é.ts': 'x'.repeat(600),
    [`long/${'y'.repeat(150)}`]: '',
  })
  const form = new FormData()
  form.append('a/b.txt', 'text')
  form.append('files', new Blob(['z'.repeat(300_000)]), 'src/z.bin')
  form.append('deleted', '["old"]')
  const response = new Response(form)
  bodies = [
    { type: 'application/x-tar', body: tar },
    { type: 'application/gzip', body: gzipSync(tar) },
    { type: response.headers.get('content-type') ?? '', body: Buffer.from(await response.arrayBuffer()) },
    {
      type: 'application/json',
      body: Buffer.from(
        JSON.stringify({
          files: { a: 'b', 'c/d': { encoding: 'base64', content: 'AAAA' } },
          deleted: ['e'],
          baseRevision: 1,
        }),
      ),
    },
  ]
})
afterAll(() => rm(tmpDir, { recursive: true }))

async function tarOf(contents: Record<string, string>): Promise<Buffer> {
  const archive = pack()
  for (const [name, content] of Object.entries(contents)) archive.entry({ name }, content)
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const edit = fc.record({
  at: fc.nat(),
  removed: fc.nat({ max: 600 }),
  inserted: fc.oneof(
    fc.uint8Array({ maxLength: 8 }),
    fc
      .constantFrom('../', '\0', '\r\n--', '0000644', 'ustar', '{"', '\\', '7777777')
      .map((text) => Buffer.from(text)),
  ),
})

function applyEdits(body: Buffer, edits: { at: number; removed: number; inserted: Uint8Array }[]): Buffer {
  let edited = body
  for (const { at, removed, inserted } of edits) {
    const place = at % (edited.length + 1)
    // Most edits keep the length: framing stays in step, and what is damaged is read further into.
    const rest = removed % 2 === 0 ? place + inserted.length : place + removed
    edited = Buffer.concat([edited.subarray(0, place), inserted, edited.subarray(rest)])
  }
  return edited
}

test('a damaged body of any kind gives a valid batch or an error with a code, and leaves nothing behind', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: 3 }),
      fc.array(edit, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 70_000 }),
      async (kind, edits, chunkBytes) => {
        const { type, body } = bodies[kind] as Sent
        const damaged = applyEdits(body, edits)
        const chunks: Buffer[] = []
        for (let at = 0; at < damaged.length; at += Math.max(chunkBytes, damaged.length / 500)) {
          chunks.push(damaged.subarray(at, at + Math.max(chunkBytes, damaged.length / 500)))
        }
        const request = {
          headers: { 'content-type': type },
          body: Readable.from(chunks, { objectMode: false }),
        }
        try {
          await using batch = await readChanges(request, { limits: LIMITS, tmpDir })
          for (const { path } of batch.files) expect(filePathProblem(path)).toBeUndefined()
        } catch (error) {
          expect(error).toBeInstanceOf(PreviewdError)
          expect((error as PreviewdError).status).toBeLessThan(500)
        }
        expect(await readdir(tmpDir)).toEqual([])
      },
    ),
    { numRuns: 1500 },
  )
})
