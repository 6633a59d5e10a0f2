import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseHost } from '../../src/serve/preview-host.ts'
import { PreviewServer } from './preview-server.ts'

const NAVIGATION = { 'sec-fetch-mode': 'navigate', accept: 'text/html' }

let server: PreviewServer
const ask = (path: string, headers: Record<string, string> = NAVIGATION, method = 'GET') =>
  server.get(`staging--demo.localhost:${server.port}`, path, headers, method)

beforeEach(async () => {
  server = await PreviewServer.start()
  await server.addSite('demo', { 'index.html': 'published' })
  const artifact = await server.addBuild('demo', 'build0000001-set-staging', {
    'index.html': 'staging',
    'assets/a-AbCd1234.js': 'x',
  })
  server.envSet = async (project, name) => (`${project} ${name}` === 'demo staging' ? artifact : undefined)
})
afterEach(() => server.stop())

test('a host names a project, one of its builds or one of its env sets', () => {
  expect(parseHost('staging--demo.localhost', 'localhost')).toEqual({
    kind: 'env-set',
    project: 'demo',
    envSet: 'staging',
  })
  expect(parseHost('build0000001--demo.localhost', 'localhost')).toMatchObject({ kind: 'build' })
  for (const label of [
    '-staging--demo',
    'a--b--demo',
    'staging--',
    '--demo',
    'a'.repeat(21).concat('--demo'),
  ]) {
    expect(parseHost(`${label}.localhost`, 'localhost').kind, label).toMatch(/misdirected|malformed/)
  }
})

test('an env set has an origin of its own, with the pages and assets of its build', async () => {
  expect((await ask('/')).text).toBe('staging')
  expect((await ask('/some/route')).text).toBe('staging')
  expect((await ask('/assets/a-AbCd1234.js')).headers['cache-control']).toContain('immutable')
  expect((await ask('/', {}, 'POST')).status).toBe(405)
  expect(JSON.parse((await ask('/.previewd/status', {})).text)).toMatchObject({ ready: true })
  expect((await server.get(`other--demo.localhost:${server.port}`, '/', NAVIGATION)).status).toBe(404)
})

test('what is being built is said by a page that follows it, what failed by one that stays', async () => {
  server.envSet = async () => 'building'
  const waiting = await ask('/')
  expect([waiting.status, waiting.text.includes('data-status="/.previewd/status"')]).toEqual([200, true])
  expect((await ask('/app.js', {})).status).toBe(503)
  expect(JSON.parse((await ask('/.previewd/status', {})).text)).toMatchObject({ ready: false })
  server.envSet = async () => 'failed'
  const failed = await ask('/')
  expect([failed.status, failed.text.includes('could not be built with these variables')]).toEqual([
    503,
    true,
  ])
})

test('an env set of a private project needs a grant', async () => {
  server.addProject('demo', { visibility: 'private' })
  server.tokens.set('viewer', 'demo:viewer')
  expect((await ask('/')).status).toBe(401)
  expect((await ask('/', { ...NAVIGATION, cookie: '__Host-previewd-demo=viewer' })).text).toBe('staging')
})
