import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { call, startServer, type TestServer, withDemo } from './server.ts'

let server: TestServer
beforeEach(async () => {
  server = await startServer()
  await withDemo(server)
})
afterEach(() => server.close())

const changed = { changed_files: [{ path: 'index.html', type: 'frontend' }] }

describe('POST /sync-project', () => {
  it('has no changes where the pushed files are built', async () => {
    const answer = await call(server, 'POST', '/sync-project/demo', { body: changed })
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({ status: 'no_changes' })
  })

  it('is building while the pushed files are being built', async () => {
    await call(server, 'POST', '/v1/projects/demo/changes', { body: { files: { 'index.html': 'new' } } })
    const answer = await call(server, 'POST', '/sync-project/demo', { body: changed })
    expect(answer.json()).toEqual({ status: 'building', changes: ['index.html'] })
  })

  it.each([{ changed_files: [{ path: 'never/pushed.ts' }] }, { changed_files: [] }, {}])(
    'cannot fetch files of a project without a source: %j',
    async (body) => {
      const answer = await call(server, 'POST', '/sync-project/demo', { body })
      expect(answer.statusCode).toBe(422)
      expect(answer.json()).toMatchObject({ code: 'SOURCE_NOT_SUPPORTED', error: expect.any(String) })
    },
  )
})

describe.each(['/build/demo', '/api/build/demo'])('POST %s', (url) => {
  it('starts a build', async () => {
    const answer = await call(server, 'POST', url)
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({ status: 'building', url: 'http://127.0.0.1:4400/preview/demo/' })
  })
})

describe('GET /api/build/{id}/status', () => {
  it('is ready, building or error', async () => {
    const status = async () => (await call(server, 'GET', '/api/build/demo/status')).json()
    expect(await status()).toMatchObject({ status: 'ready' })
    await call(server, 'POST', '/build/demo')
    expect(await status()).toMatchObject({ status: 'building' })
    server.pipeline.finish('demo', 'failed', [{ origin: 'build', severity: 'error', message: 'It broke' }])
    expect(await status()).toMatchObject({ status: 'error', error: 'It broke' })
  })

  it('is an error that says why where there are no files', async () => {
    await call(server, 'PUT', '/v1/projects/empty')
    expect((await call(server, 'GET', '/api/build/empty/status')).json()).toMatchObject({
      status: 'error',
      error: 'The project has no files yet',
    })
  })
})

describe('GET /logs', () => {
  it('is the text of the newest build', async () => {
    server.pipeline.write('demo', 'vite v8')
    expect((await call(server, 'GET', '/logs/demo')).body).toBe('vite v8\n')
  })
})

describe('the original calls', () => {
  it('take the external id of a project', async () => {
    await call(server, 'PUT', '/v1/projects/demo', { body: { externalId: 'Platform_Id:42' } })
    const answer = await call(server, 'GET', '/api/build/Platform_Id%3A42/status')
    expect(answer.json()).toMatchObject({ status: 'ready' })
  })

  it.each([
    ['POST', '/build/nobody'],
    ['GET', '/logs/nobody'],
    ['POST', '/sync-project/..%2f..'],
    ['GET', '/api/build/nobody/status'],
  ] as const)('have an error member beside the problem: %s %s', async (method, url) => {
    const answer = await call(server, method, url)
    expect(answer.statusCode).toBe(404)
    expect(answer.json()).toMatchObject({ code: 'PROJECT_NOT_FOUND', error: expect.any(String) })
  })
})
