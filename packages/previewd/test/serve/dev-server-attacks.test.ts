import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { DevServers, DevSession } from './dev-session.ts'

const SECRET = randomBytes(16).toString('hex')
let folder: string
let secretFile: string
let servers: DevServers
let session: DevSession

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'previewd-secret-'))
  secretFile = join(folder, 'secret.txt')
  // Readable by anybody, so that nothing but its absence keeps it from a worker.
  await chmod(folder, 0o755)
  await writeFile(secretFile, SECRET, { mode: 0o644 })
  servers = await DevServers.open()
  session = await DevSession.start(servers, {
    'index.html': '<!doctype html><script type="module" src="/main.js"></script>',
    'main.js': 'console.log("dev server")',
  })
})
afterAll(async () => {
  await session[Symbol.asyncDispose]()
  await servers[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

/** As published for CVE-2025-30208, 31125, 31486, 32395, 46565, 58751, 58752 and 62522, and for older servers. */
const attacks = (file: string): string[] => [
  `/@fs${file}`,
  `/@fs${file}?raw??`,
  `/@fs${file}?import&raw??`,
  `/@fs${file}?inline&import`,
  `/@fs${file}?raw?import`,
  `/@fs${file}?.svg?.wasm?init`,
  `/@fs${file}?meteorkai=.svg?.wasm?init`,
  `/@fs/app/#/../..${file}`,
  `/@fs/x/x/x/vite/../../../../..${file}?.svg?.wasm?init`,
  `/@fs/app/..${file}`,
  `/@fs//app/./..${file}`,
  `/@fs/app/%2e%2e${file}`,
  `/@fs/app\\..\\${file.slice(1)}`,
  `/..${file}`,
  `/..%2f..%2f..${file.replaceAll('/', '%2f')}`,
  `/main.js/../../..${file}`,
  `/node_modules/../..${file}`,
  `/@id/__x00__${file}?raw`,
  `/@id/${file}?raw`,
  `/${file}?url&inline`,
]

/** The request line as it is: clients would tidy the path. */
async function ask(path: string, host = session.host): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: session.preview.port })
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nSec-Fetch-Mode: cors\r\nConnection: close\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

describe('a path that has led dev servers out of their project', () => {
  test.each(attacks('/SECRET'))('%s shows an editor no file of the host', async (attack) => {
    const path = attack.replace('/SECRET', secretFile)
    const answer = await ask(path)
    expect(answer).toMatch(/^HTTP\/1\.1 \d{3} /)
    expect(answer).not.toContain(SECRET)
    expect(answer).not.toContain(Buffer.from(SECRET).toString('base64').slice(0, 20))
  })

  test('reads no environment but that of the sandbox, where it is read at all', async () => {
    process.env.PREVIEWD_TEST_CANARY = SECRET
    for (const attack of attacks('/proc/1/environ')) expect(await ask(attack)).not.toContain(SECRET)
    delete process.env.PREVIEWD_TEST_CANARY
  })

  test('leads who is no editor to no dev server at all', async () => {
    session.preview.editor = false
    try {
      for (const attack of attacks('/app/main.js')) expect(await ask(attack)).not.toContain('dev server')
    } finally {
      session.preview.editor = true
    }
  })
})

test('a name that is not the preview’s own gets no dev server, as in a rebinding', async () => {
  expect(await ask('/main.js')).toContain('dev server')
  for (const host of [
    'evil.example',
    `evil.example:${session.preview.port}`,
    '127.0.0.1',
    'demo.evil.example',
  ])
    expect(await ask('/main.js', host)).not.toContain('dev server')
})

test('a page of another origin gets no socket for hot updates, with or without the token of the server', async () => {
  const token = /wsToken = "([^"]+)"/.exec(await ask('/@vite/client'))?.[1] ?? ''
  expect(token).not.toBe('')
  for (const origin of ['http://evil.example', 'null', `http://other.localhost:${session.preview.port}`]) {
    for (const [path, protocol] of [
      [`/?token=${token}`, 'vite-hmr'],
      ['/', 'vite-ping'],
    ] as const) {
      const socket = new WebSocket(`ws://127.0.0.1:${session.preview.port}${path}`, protocol, {
        headers: { host: session.host, origin },
      })
      const [, answer] = await once(socket, 'unexpected-response')
      expect(answer.statusCode).toBe(403)
      socket.on('error', () => undefined)
      socket.terminate()
    }
  }
})

test('garbage on the socket for hot updates ends nothing but that socket', async () => {
  const token = /wsToken = "([^"]+)"/.exec(await ask('/@vite/client'))?.[1] ?? ''
  const open = async (): Promise<WebSocket> => {
    const url = `ws://127.0.0.1:${session.preview.port}/?token=${token}`
    const socket = new WebSocket(url, 'vite-hmr', { headers: { host: session.host } })
    await once(socket, 'message')
    return socket
  }
  const listening = await open()
  const talking = await open()
  const words = ['garbage', '{"type":', '{"type":"custom","event":"vite:invoke","data":null}', '[]', 'null']
  for (const word of words) talking.send(word)
  talking.send(Buffer.alloc(1024 * 1024, 1))
  talking.send(JSON.stringify({ type: 'custom', event: 'x'.repeat(1024 * 1024), data: {} }))
  const broken = await open()
  // A frame that no client may send.
  ;(broken as unknown as { _socket: Socket })._socket.write(Buffer.alloc(4096, 0xff))
  await once(broken, 'close')
  for (const path of ['/', '/main.js']) await ask(path)
  const told = once(listening, 'message')
  await session.edit({ 'main.js': 'console.log("dev server again"); import.meta.hot?.accept()' })
  expect(String((await told)[0])).toMatch(/"type":"(?:update|full-reload)"/)
  expect(await ask('/main.js')).toContain('dev server again')
  for (const socket of [listening, talking]) socket.terminate()
})
