import { once } from 'node:events'
import { truncate } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Build } from '../../src/model/build.ts'
import type { Project } from '../../src/model/project.ts'
import { type Answer, PreviewServer } from './preview-server.ts'

const NAVIGATION = { 'sec-fetch-mode': 'navigate', accept: 'text/html' }
const DAY_MS = 86_400_000

let server: PreviewServer
beforeEach(async () => {
  server = await PreviewServer.start()
})
afterEach(() => server.stop())

const get = (label: string, path: string, headers: Record<string, string> = {}): Promise<Answer> =>
  server.get(`${label}.localhost:${server.port}`, path, headers)

describe('names', () => {
  test('lead to their project, and unknown ones to a page that says so', async () => {
    await server.addSite('one', { 'index.html': 'one' })
    await server.addSite('two', { 'index.html': 'two' })
    expect((await get('one', '/')).text).toBe('one')
    expect((await get('TWO', '/')).text).toBe('two')
    const unknown = await get('three', '/', NAVIGATION)
    expect(unknown.status).toBe(404)
    expect(unknown.text).toContain('No preview here')
    expect(unknown.headers['cache-control']).toBe('no-store')
  })

  test('that no preview can have are refused', async () => {
    expect((await get('a.b', '/')).status).toBe(421)
    expect((await server.get('x..localhost', '/')).status).toBe(400)
    expect((await server.get('example.org', '/')).text).toBe('the API')
  })
})

describe('headers', () => {
  test('of a public preview let anyone frame it, and keep it out of search engines', async () => {
    await server.addSite('demo', { 'index.html': 'x' })
    const { headers } = await get('demo', '/', NAVIGATION)
    expect(headers['content-security-policy']).toBeUndefined()
    expect(headers['x-frame-options']).toBeUndefined()
    expect(headers['referrer-policy']).toBe('strict-origin-when-cross-origin')
    expect(headers['cross-origin-resource-policy']).toBe('cross-origin')
    expect(headers['x-robots-tag']).toBe('noindex')
    expect(headers['origin-agent-cluster']).toBe('?1')
  })

  test('name who may frame a preview where the operator said so', async () => {
    await server.stop()
    server = await PreviewServer.start({ frameAncestors: ['https://platform.example', "'self'"] })
    await server.addSite('demo', { 'index.html': 'x' })
    server.addProject('waiting')
    const policy = "frame-ancestors https://platform.example 'self'"
    expect((await get('demo', '/')).headers['content-security-policy']).toBe(policy)
    expect((await get('waiting', '/', NAVIGATION)).headers['content-security-policy']).toContain(policy)
  })

  test('of a private preview keep it in one browser', async () => {
    await server.addSite(
      'demo',
      { 'index.html': 'x', 'assets/index-BwZ3kX_a.js': 'x' },
      { visibility: 'private' },
    )
    server.tokens.set('t', 'demo:viewer')
    const cookie = { cookie: 'a=b; __Host-previewd-demo=t' }
    for (const path of ['/', '/assets/index-BwZ3kX_a.js']) {
      const { status, headers } = await get('demo', path, cookie)
      expect(status).toBe(200)
      expect(headers['cache-control']).toMatch(/^private/)
      expect(headers.vary).toContain('Cookie')
      expect(headers['referrer-policy']).toBe('no-referrer')
      expect(headers['cross-origin-resource-policy']).toBe('same-origin')
    }
  })
})

describe('private previews', () => {
  beforeEach(async () => {
    await server.addSite('demo', { 'index.html': 'secret' }, { visibility: 'private' })
    await server.addSite('other', { 'index.html': 'other' }, { visibility: 'private' })
    server.tokens.set('good', 'demo:viewer')
    server.tokens.set('foreign', 'other:editor')
  })

  test('are closed without a grant, in every form of their address', async () => {
    for (const label of ['demo', 'build0000001--demo']) {
      for (const path of ['/', '/index.html', '/.previewd/status', '/nothing']) {
        const answer = await get(label, path, NAVIGATION)
        expect([answer.status, answer.text.includes('secret')]).toEqual([401, false])
      }
    }
  })

  test.each(['forged', 'foreign', '', 'good;x', 'a'.repeat(5000)])('%j opens nothing', async (token) => {
    const asCookie = await get('demo', '/', { cookie: `__Host-previewd-demo=${token.replace(';', '%3b')}` })
    expect(asCookie.status).toBe(401)
    const inAddress = await get('demo', `/?previewd_grant=${token}`, NAVIGATION)
    expect([inAddress.status, inAddress.headers['set-cookie']]).toEqual([401, undefined])
  })

  test('take a grant from the address once, as a cookie of this origin alone', async () => {
    const answer = await get('demo', '/a%20b?x=1&previewd_grant=good&y=2', NAVIGATION)
    expect([answer.status, answer.headers.location]).toEqual([303, '/a%20b?x=1&y=2'])
    expect(answer.headers['set-cookie']).toEqual([
      '__Host-previewd-demo=good; Path=/; Secure; HttpOnly; SameSite=None; Partitioned',
    ])
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  test('never redirect to another host with the grant', async () => {
    const answer = await get('demo', '//evil.example/?previewd_grant=good', NAVIGATION)
    expect(answer.headers.location).toBe('/evil.example/')
  })

  test('answer a client without cookies by the grant in the address', async () => {
    expect((await get('demo', '/?previewd_grant=good')).text).toBe('secret')
  })

  test('public previews lose the token from the address, too, and need none', async () => {
    await server.addSite('open', { 'index.html': 'open' })
    const answer = await get('open', '/?previewd_grant=forged', NAVIGATION)
    expect([answer.status, answer.headers.location, answer.headers['set-cookie']]).toEqual([
      303,
      '/',
      undefined,
    ])
  })
})

describe('before anything is published', () => {
  test('people get a page, and everything else hears that it should come back', async () => {
    server.addProject('demo')
    server.setStatus('demo', { state: 'building' })
    const page = await get('demo', '/x', NAVIGATION)
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'/)
    expect(page.headers['cache-control']).toBe('no-store')
    for (const headers of [{ accept: '*/*' }, { 'sec-fetch-mode': 'no-cors', accept: 'image/*' }]) {
      const answer = await get('demo', '/logo.png', headers)
      expect([answer.status, answer.headers['retry-after']]).toEqual([503, '2'])
    }
  })

  test('only editors hear what went wrong and where', async () => {
    server.addProject('demo')
    const problem = {
      origin: 'build',
      severity: 'error',
      message: 'cannot find x',
      file: 'src/secret-name.tsx',
      frame: '> 1 | code',
      count: 1,
      revision: 1,
    } as const
    server.setStatus('demo', { state: 'error', diagnostics: [problem] })
    for (const path of ['/', '/.previewd/status']) {
      const viewer = await get('demo', path, NAVIGATION)
      expect(viewer.text).toContain('The build failed')
      expect(viewer.text).not.toMatch(/secret-name|cannot find|code<|&gt; 1/)
    }
    server.tokens.set('e', 'demo:editor')
    const editor = await get('demo', '/', { ...NAVIGATION, cookie: '__Host-previewd-demo=e' })
    expect(editor.text).toContain('src/secret-name.tsx')
  })

  test('the status address polls and streams', async () => {
    server.addProject('demo')
    server.setStatus('demo', { state: 'queued' })
    const polled = await get('demo', '/.previewd/status')
    expect(JSON.parse(polled.text)).toMatchObject({ ready: false, state: 'queued' })
    const socket = connect(server.port, '127.0.0.1')
    const host = `demo.localhost:${server.port}`
    socket.write(`GET /.previewd/status HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`)
    let received = ''
    socket.on('data', (chunk) => {
      received += String(chunk)
    })
    const until = async (text: string): Promise<void> => {
      while (!received.includes(text)) await once(socket, 'data')
    }
    await until('"state":"queued"')
    expect(received).toContain('text/event-stream')
    for (const done of [1, 2, 3]) {
      server.setStatus('demo', { state: 'installing', progress: { phase: 'fetching', done, total: 3 } })
    }
    await until('fetching 3 of 3')
    expect(received).not.toContain('fetching 1 of 3')
    server.gateway.close()
    await once(socket, 'end')
  })
})

describe('the address of one build', () => {
  const failed: Build = {
    id: 'failed000001',
    project: 'demo',
    revision: 1,
    state: 'failed',
    queuedAt: '2026-01-01T00:00:00Z',
    diagnostics: [],
    timings: {},
  }

  test('shows that build whatever is published', async () => {
    await server.addSite('demo', { 'index.html': 'first' })
    await server.addBuild('demo', 'build0000002', { 'index.html': 'second' })
    server.publish('demo', 'build0000002')
    expect((await get('build0000001--demo', '/')).text).toBe('first')
    expect((await get('demo', '/')).text).toBe('second')
  })

  test('says that a build failed, is gone, or never was', async () => {
    server.addProject('demo')
    server.builds.push(failed)
    expect((await get('failed000001--demo', '/', NAVIGATION)).text).toContain('The build failed')
    expect((await get('nothing00000--demo', '/', NAVIGATION)).status).toBe(404)
    server.builds.push({ ...failed, id: 'building0001', state: 'building' })
    expect((await get('building0001--demo', '/', NAVIGATION)).text).toContain('Building the preview')
  })

  test('is not another project', async () => {
    await server.addSite('demo', { 'index.html': 'demo' })
    server.addProject('other')
    expect((await get('build0000001--other', '/')).status).toBe(404)
  })
})

describe('after a newer publish', () => {
  const files = (hash: string): Record<string, string> => ({
    'index.html': hash,
    [`assets/x-${hash}.js`]: hash,
  })

  beforeEach(async () => {
    server.addProject('demo')
    await server.addBuild('demo', 'build0000001', files('Aaaa1111'), server.nowMs - 3 * DAY_MS)
    await server.addBuild('demo', 'build0000002', files('Bbbb2222'), server.nowMs - 2 * DAY_MS)
    await server.addBuild('demo', 'build0000003', files('Cccc3333'), server.nowMs - 1000)
    server.publish('demo', 'build0000003')
  })

  test('hashed assets of the build before stay for a day', async () => {
    const answer = await get('demo', '/assets/x-Bbbb2222.js')
    expect([answer.text, answer.headers['cache-control']]).toEqual([
      'Bbbb2222',
      'public, max-age=31536000, immutable',
    ])
    expect((await get('demo', '/assets/x-Aaaa1111.js')).status).toBe(404)
    server.nowMs += DAY_MS
    expect((await get('demo', '/assets/x-Bbbb2222.js')).status).toBe(404)
  })

  test('pages of the build before are gone, and removed builds are no error', async () => {
    await server.artifacts.remove('demo', 'build0000002')
    expect((await get('demo', '/assets/x-Bbbb2222.js')).status).toBe(404)
    expect((await get('demo', '/')).text).toBe('Cccc3333')
    expect(server.logged).toEqual([])
  })
})

test('a viewer gets the old or the new build, and never a mix, while builds are published', async () => {
  server.addProject('demo')
  const make = (n: number): Promise<unknown> =>
    server.addBuild('demo', `build${String(n).padStart(7, '0')}`, { 'index.html': `${n} `.repeat(20_000) })
  await make(0)
  server.publish('demo', 'build0000000')
  let publishing = true
  const publish = async (): Promise<void> => {
    for (let n = 1; n <= 40; n++) {
      await make(n)
      server.publish('demo', `build${String(n).padStart(7, '0')}`)
      await server.artifacts.remove('demo', `build${String(n - 1).padStart(7, '0')}`)
    }
    publishing = false
  }
  const view = async (): Promise<void> => {
    while (publishing) {
      const { status, text } = await get('demo', '/')
      expect(status).toBe(200)
      const [first = ''] = text.split(' ', 1)
      expect(text).toBe(`${first} `.repeat(20_000))
    }
  }
  await Promise.all([publish(), view(), view(), view()])
})

test('a build that is removed while a request for it is under way gives way to the one that is published', async () => {
  await server.stop()
  let asked = 0
  const stale = { published: { buildId: 'removed00001', revision: 1 } }
  server = await PreviewServer.start({
    projects: { get: (id) => ({ ...projectOf(id), ...(asked++ === 0 && stale) }) },
  })
  const projectOf = (id: string): Project => server.projects.get(id) ?? server.addProject(id)
  await server.addSite('demo', { 'index.html': 'new' })
  expect((await get('demo', '/')).text).toBe('new')
  expect(asked).toBe(2)
})

test('the pages that follow one project are bounded, and who comes later polls', async () => {
  server.addProject('demo')
  const open = async (): Promise<Socket> => {
    const socket = connect(server.port, '127.0.0.1')
    const host = `demo.localhost:${server.port}`
    socket.write(`GET /.previewd/status HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`)
    await once(socket, 'data')
    return socket
  }
  const sockets = await Promise.all(Array.from({ length: 200 }, open))
  const late = await get('demo', '/.previewd/status', { accept: 'text/event-stream' })
  expect(late.text).toMatch(/^retry: \d+\ndata: \{/)
  for (const socket of sockets) socket.destroy()
})

test('an error inside tells the client nothing of it but to ask again, and is logged', async () => {
  await server.addSite('demo', { 'index.html': 'x'.repeat(100_000) })
  const artifact = await server.artifacts.open('demo', 'build0000001')
  expect(artifact.files.size).toBe(1)
  await truncate(server.pathOf('demo', 'build0000001', 'artifact.pack'), 100)
  const answer = await get('demo', '/?previewd_grant=secret-token')
  expect(JSON.stringify(server.logged)).not.toContain('secret-token')
  expect([answer.status, answer.headers.refresh]).toEqual([500, '5'])
  expect(answer.text).toContain('could not be shown')
  expect(answer.text).not.toMatch(/pack|byte|Error|\/tmp/)
  expect(server.logged).toHaveLength(1)
})

test('a client that hangs up in the middle of a large file is no error', async () => {
  await server.addSite('demo', { 'video.mp4': Buffer.alloc(20_000_000) })
  const socket = connect(server.port, '127.0.0.1')
  socket.write(`GET /video.mp4 HTTP/1.1\r\nHost: demo.localhost:${server.port}\r\n\r\n`)
  await once(socket, 'data')
  socket.resetAndDestroy()
  expect((await get('demo', '/video.mp4', { range: 'bytes=0-9' })).status).toBe(206)
  expect(server.logged).toEqual([])
})

test('a WebSocket is refused to who is no editor', async () => {
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
  await server.addSite('demo', { 'index.html': 'x' })
  const socket = connect(server.port, '127.0.0.1')
  socket.write(
    `GET / HTTP/1.1\r\nHost: demo.localhost:${server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${key}\r\n\r\n`,
  )
  const [chunk] = await once(socket, 'data')
  expect(String(chunk)).toMatch(/^HTTP\/1.1 403/)
})
