import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { afterEach, describe, expect, it } from 'vitest'
import { call, startServer, type TestServer } from './server.ts'

let server: TestServer
afterEach(() => server.close())

const URL_PATH = '/v1/projects/demo/changes'

async function archive(files: Record<string, string>): Promise<Buffer> {
  const tar = pack()
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content)
  tar.finalize()
  return Buffer.concat(await Array.fromAsync(tar as AsyncIterable<Buffer>))
}

describe('a batch', () => {
  it('may be multipart', async () => {
    server = await startServer()
    const form = new FormData()
    form.append('index.html', new Blob(['<h1>'], { type: 'text/html' }), 'index.html')
    form.append('img/a.bin', new Blob([new Uint8Array([0, 255])]), 'a.bin')
    const response = await fetch((await server.listen()) + URL_PATH, { method: 'POST', body: form })
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      revision: 1,
      changed: [{ kind: 'added' }, { kind: 'added' }],
    })
  })

  it.each([
    ['application/x-tar', undefined],
    ['application/x-tar', 'gzip'],
    ['application/gzip', undefined],
  ])('may be %s with content encoding %s', async (type, encoding) => {
    server = await startServer()
    const tar = await archive({ 'index.html': '<h1>', 'src/a.ts': 'export {}' })
    const answer = await server.app.inject({
      method: 'POST',
      url: URL_PATH,
      headers: { host: 'localhost', 'content-type': type, ...(encoding && { 'content-encoding': encoding }) },
      payload: type === 'application/gzip' || encoding ? gzipSync(tar) : tar,
    })
    expect(answer.json()).toMatchObject({
      revision: 1,
      changed: [{ path: 'index.html' }, { path: 'src/a.ts' }],
    })
  })

  it('may say in the query that it is the whole project', async () => {
    server = await startServer()
    await call(server, 'POST', URL_PATH, { body: { files: { old: 'x' } } })
    const answer = await call(server, 'POST', `${URL_PATH}?replace=1&baseRevision=1`, {
      body: { files: { new: 'x' } },
    })
    expect(answer.json().changed).toEqual([
      { path: 'new', kind: 'added' },
      { path: 'old', kind: 'deleted' },
    ])
  })

  it.each([
    ['nothing at all', {}, undefined, 'UNSUPPORTED_MEDIA_TYPE'],
    ['text', { 'content-type': 'text/plain' }, 'x', 'UNSUPPORTED_MEDIA_TYPE'],
    ['half a JSON', { 'content-type': 'application/json' }, '{"files":{"a":', 'INVALID_JSON'],
    ['no archive', { 'content-type': 'application/gzip' }, 'x', 'INVALID_ARCHIVE'],
    ['a path outside', { 'content-type': 'application/json' }, '{"files":{"../a":"x"}}', 'INVALID_PATH'],
  ] as const)('is not %s, and nothing is applied', async (_what, headers, body, code) => {
    server = await startServer()
    const answer = await call(server, 'POST', URL_PATH, { headers, ...(body !== undefined && { body }) })
    expect(answer.json()).toMatchObject({ code })
    expect(server.store.projects.get('demo')).toBeUndefined()
  })

  it('that is too large is refused before it was all sent, and the connection ends', async () => {
    server = await startServer({ PREVIEWD_MAX_BODY: '1000' })
    const { port } = new URL(await server.listen())
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(
      `POST ${URL_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n{"files"`,
    )
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1.1 413 /)
    expect(answer).toContain('PAYLOAD_TOO_LARGE')
  })

  it('whose client goes half-way leaves nothing behind and is no failure of the server', async () => {
    server = await startServer()
    const { port } = new URL(await server.listen())
    const socket = connect(Number(port), '127.0.0.1')
    const tar = await archive({ 'large.bin': 'x'.repeat(2 * 1024 * 1024) })
    socket.write(
      `POST ${URL_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-tar\r\nContent-Length: ${tar.length}\r\n\r\n`,
    )
    socket.write(tar.subarray(0, 1_500_000))
    await expect.poll(async () => (await readdir(server.store.tmpDir)).length).toBe(1)
    socket.destroy()
    await expect.poll(async () => (await readdir(server.store.tmpDir)).length).toBe(0)
    expect(server.log.filter((line) => JSON.parse(line).level >= 50)).toEqual([])
  })

  it('leaves no temporary file when it was applied', async () => {
    server = await startServer()
    const payload = await archive({ 'large.bin': 'x'.repeat(2 * 1024 * 1024) })
    const headers = { host: 'localhost', 'content-type': 'application/x-tar', 'idempotency-key': 'large' }
    const push = () => server.app.inject({ method: 'POST', url: URL_PATH, headers, payload })
    const answers = await Promise.all([push(), push()])
    expect(answers.map((answer) => answer.json().revision)).toEqual([1, 1])
    expect(await readdir(server.store.tmpDir)).toEqual([])
  })
})
