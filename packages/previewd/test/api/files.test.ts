import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { call, startServer, type TestServer } from './server.ts'

let server: TestServer
beforeEach(async () => {
  server = await startServer()
})
afterEach(() => server.close())

const text = '<script>alert(1)</script>'
const sha256 = createHash('sha256').update(text).digest('hex')

async function push(files: Record<string, string>): Promise<void> {
  const answer = await call(server, 'POST', '/v1/projects/demo/changes', { body: { files } })
  expect(answer.statusCode).toBe(200)
}

describe('the manifest', () => {
  it('lists the files of the current revision with size and hash', async () => {
    await push({ 'index.html': text })
    expect((await call(server, 'GET', '/v1/projects/demo/files')).json()).toEqual({
      revision: 1,
      files: [{ path: 'index.html', size: text.length, sha256 }],
    })
  })
})

describe('one file', () => {
  it('is given as bytes that no browser runs', async () => {
    await push({ 'index.html': text })
    const answer = await call(server, 'GET', '/v1/projects/demo/files/index.html')
    expect(answer.body).toBe(text)
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(text.length),
      'content-disposition': "attachment; filename*=UTF-8''index.html",
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      etag: `"${sha256}"`,
    })
  })

  it('is not sent again to who has it', async () => {
    await push({ 'index.html': text })
    const headers = { 'if-none-match': `W/"x", "${sha256}"` }
    const answer = await call(server, 'GET', '/v1/projects/demo/files/index.html', { headers })
    expect(answer.statusCode).toBe(304)
    expect(answer.body).toBe('')
    expect(answer.headers.etag).toBe(`"${sha256}"`)
  })

  it('is described by HEAD', async () => {
    await push({ 'index.html': text })
    const answer = await call(server, 'HEAD', '/v1/projects/demo/files/index.html')
    expect(answer.headers['content-length']).toBe(String(text.length))
    expect(answer.body).toBe('')
  })

  it.each([
    'src/a b.ts',
    'src/ünï.ts',
    'src/100%.ts',
    "src/it's (1)*.ts",
    'src/[id]/$page.tsx',
    'src/a+b?.ts',
    'src/#.ts',
    `${'d'.repeat(200)}/${'e'.repeat(200)}/ü`,
  ])('with the path %s is found by its encoded path', async (path) => {
    await push({ [path]: 'x' })
    const url = `/v1/projects/demo/files/${path.split('/').map(encodeURIComponent).join('/')}`
    const answer = await call(server, 'GET', url)
    expect(answer.statusCode).toBe(200)
    expect(answer.body).toBe('x')
    expect(answer.headers['content-disposition']).toMatch(/^attachment; filename\*=UTF-8''[\w.%-]+$/)
  })

  it.each([
    '',
    'nothing.ts',
    'src',
    '../index.html',
    '..%2f..%2fpreviewd.db',
    '%2e%2e/previewd.db',
    '%00',
    'index.html/',
    '/etc/passwd',
    'constructor',
    '__proto__',
    'x'.repeat(3000),
  ])('is never anything but a file of the revision: %s', async (path) => {
    await push({ 'index.html': text })
    const answer = await call(server, 'GET', `/v1/projects/demo/files/${path}`)
    expect(answer.statusCode).toBe(404)
    expect(answer.headers['content-type']).toContain('application/problem+json')
  })
})
