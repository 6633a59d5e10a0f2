import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { call, startServer, type TestServer, withDemo } from './server.ts'

let server: TestServer
beforeEach(async () => {
  server = await startServer()
})
afterEach(() => server.close())

describe('readiness', () => {
  it.each(['/readyz', '/healthz', '/health'])('is told at %s with the tier of the sandbox', async (url) => {
    const answer = await call(server, 'GET', url)
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({ status: 'ready', sandbox: { tier: 'full', problems: [] } })
  })

  it.each(['/readyz', '/healthz', '/health'])('is denied at %s while the server drains', async (url) => {
    server.draining = true
    const answer = await call(server, 'GET', url)
    expect(answer.statusCode).toBe(503)
    expect(answer.json()).toMatchObject({ code: 'SHUTTING_DOWN' })
    expect(answer.headers['retry-after']).toBeDefined()
    expect((await call(server, 'GET', '/livez')).statusCode).toBe(200)
  })

  it('is denied with the reason where the sandbox is not whole', async () => {
    server.sandbox = { tier: 'off', usable: false, problems: ['bubblewrap is not installed.'] }
    const answer = await call(server, 'GET', '/readyz')
    expect(answer.statusCode).toBe(503)
    expect(answer.json()).toMatchObject({
      code: 'SANDBOX_UNAVAILABLE',
      detail: 'bubblewrap is not installed.',
      sandbox: { tier: 'off' },
    })
  })
})

describe('metrics', () => {
  it('are in the Prometheus format and count by route', async () => {
    await withDemo(server)
    await call(server, 'GET', '/v1/projects/demo/status')
    await call(server, 'GET', '/v1/projects/nobody/status')
    await call(server, 'GET', '/surely/not/there')
    const answer = await call(server, 'GET', '/metrics')
    expect(answer.headers['content-type']).toContain('text/plain')
    expect(answer.body).toContain('previewd_projects 1')
    expect(answer.body).toContain('previewd_unstored_projects 0')
    expect(answer.body).toContain('previewd_sessions{state="live"} 0')
    expect(answer.body).toContain('previewd_pool_workers{state="ready"} 2')
    expect(answer.body).toContain('previewd_pool_uses_total{result="hit"} 3')
    expect(answer.body).toContain('previewd_pool_uses_total{result="miss"} 4')
    expect(answer.body).toMatch(
      /request_duration_seconds_count\{.*route="\/v1\/projects\/:id\/status",status="404".*\} 1/,
    )
    expect(answer.body).toContain('previewd_events_total{type="build"}')
    expect(answer.body).not.toContain('surely')
  })

  it('of two servers are not mixed', async () => {
    const other = await startServer()
    await withDemo(other)
    expect((await call(server, 'GET', '/metrics')).body).toContain('previewd_projects 0')
    await other.close()
  })
})
