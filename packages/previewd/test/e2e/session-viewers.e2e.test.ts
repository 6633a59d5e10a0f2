import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { launchBrowser, type OpenedPage, openPage, untilSession } from './browser.ts'
import type { Client } from './client.ts'
import { type DaemonUnderTest, startDaemonUnderTest } from './daemon-under-test.ts'
import { sampleProject } from './sample-project.ts'

const MIB = 1024 * 1024
const VIEWERS = 200
const FLOOD_MIB = 64
/** More than the buffers of the kernel take between a dev server and a page, and far from all of the flood. */
const LEAST_WAITING = (FLOOD_MIB / 2) * MIB

const code = (text: string) =>
  `export const show = () => { document.querySelector('#root').textContent = ${JSON.stringify(text)} }\n`
const MAIN = `import { show } from './show.js'
show()
import.meta.hot?.accept('./show.js', (next) => next.show())
`
/** Sends whom asks for it more than anything would buffer, and tells how much of that still waits for him. */
const CONFIG = `let asked
export default { plugins: [{ name: 'flood', configureServer(server) {
  server.ws.on('flood', (_, client) => {
    asked = client.socket
    for (let sent = 0; sent < ${FLOOD_MIB}; sent++) client.send('flood', 'x'.repeat(${MIB}))
  })
  server.middlewares.use('/waiting', (_, res) => res.end(String(asked?.bufferedAmount ?? 0)))
} }] }
`
const appOf = (text: string) => ({ ...sampleProject(''), 'src/main.js': MAIN, 'src/show.js': code(text) })

let browser: Browser
let daemon: DaemonUnderTest
let client: Client
beforeAll(async () => {
  browser = await launchBrowser()
  daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000', PREVIEWD_POOL_SIZE: '0' })
  client = daemon.client
  await client.push('crowd', { ...appOf('first'), 'vite.config.js': CONFIG }, { wait: 'live' })
})
afterAll(async () => {
  await browser.close()
  await daemon[Symbol.asyncDispose]()
})

/** A page that edits reach, and that holds something. */
async function open(project: string, first = ''): Promise<OpenedPage> {
  const opened = await openPage(browser, 'about:blank')
  await opened.page.addInitScript(first)
  await opened.page.goto(client.previewUrl(project))
  await untilSession(opened)
  await opened.page.evaluate('window.typed = "kept"')
  return opened
}

/** Edits the open page and expects it to show that, with its state and without an error. */
async function expectPainted(opened: OpenedPage, text: string): Promise<number> {
  const edit = await client.push('crowd', { 'src/show.js': code(text) }, { wait: 'painted' })
  expect(edit.code).toBe(200)
  expect(edit.status.painted).toMatchObject({ revision: edit.revision, errors: 0, visible: true })
  expect(await opened.page.textContent('#root')).toBe(text)
  expect(await opened.page.evaluate('window.typed')).toBe('kept')
  expect(opened.problems).toEqual([])
  return edit.revision
}

/** The address of Vite's own socket, as the page's client finds it. */
async function hotPath(): Promise<string> {
  const { text } = await client.preview('crowd', '/@vite/client')
  const token = /wsToken = "([^"]+)"/.exec(text)?.[1]
  expect(token).toMatch(/\w/)
  return `/?token=${token}`
}

interface Viewer {
  socket: WebSocket
  heard: { type: string; revision?: number }[]
}

function view(
  path: string,
  protocols: string[],
  origin = new URL(client.previewUrl('crowd')).origin,
): Viewer {
  const { host, port } = new URL(client.previewUrl('crowd'))
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers: { host, origin } })
  const heard: Viewer['heard'] = []
  socket.on('message', (message) => heard.push(JSON.parse(String(message))))
  return { socket, heard }
}

const hasHeard = (viewers: readonly Viewer[], type: string, revision?: number) => () =>
  viewers.filter(({ heard }) =>
    heard.some((said) => said.type === type && (revision === undefined || said.revision === revision)),
  ).length

/** A WebSocket whose frames are written by hand; resolves when Vite has taken it in. */
async function connectByHand(path: string): Promise<Socket> {
  const { host, port, origin } = new URL(client.previewUrl('crowd'))
  const socket = connect(Number(port), '127.0.0.1')
  // One that is cut off may be reset.
  socket.on('error', () => undefined)
  const head = [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    `Origin: ${origin}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Protocol: vite-hmr',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  let said = ''
  const hear = (bytes: Buffer) => {
    said += bytes
  }
  socket.on('data', hear)
  await vi.waitUntil(() => said.includes('"connected"'), { timeout: 60_000 })
  return socket.off('data', hear)
}

/** A client's frame (RFC 6455, 5.2) of up to 125 bytes, with a mask that changes nothing. */
const frameOf = (text: string) =>
  Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])

test('an edit is painted and told to two hundred others who look on', async () => {
  await using opened = await open('crowd')
  const path = await hotPath()
  const hot = Array.from({ length: VIEWERS }, () => view(path, ['vite-hmr']))
  const live = Array.from({ length: VIEWERS }, () => view('/.previewd/live', []))
  await expect.poll(hasHeard(hot, 'connected')).toBe(VIEWERS)
  await expect.poll(async () => (await client.status('crowd')).session.viewers).toBe(VIEWERS + 1)

  const revision = await expectPainted(opened, 'seen by many')
  await expect.poll(hasHeard(hot, 'update')).toBe(VIEWERS)
  await expect.poll(hasHeard(live, 'session', revision)).toBe(VIEWERS)

  for (const { socket } of [...hot, ...live]) socket.terminate()
  await expect.poll(async () => (await client.status('crowd')).session.viewers).toBe(1)
  await expectPainted(opened, 'seen by one')
})

test('for a viewer who never reads, the dev server keeps what he was sent, and pages do not wait for him', async () => {
  await using opened = await open('crowd')
  const stalled = await connectByHand(await hotPath())
  const before = process.memoryUsage()
  stalled.pause()
  stalled.write(frameOf('{"type":"custom","event":"flood"}'))
  const waiting = async () => Number((await client.preview('crowd', '/waiting')).text)
  await expect.poll(waiting).toBeGreaterThan(LEAST_WAITING)

  await expectPainted(opened, 'not waited for')
  const looks: number[] = []
  const look = async () => looks.push(await waiting())
  await expect.poll(() => look().then(() => looks.at(-1) === looks.at(-2)), { interval: 200 }).toBe(true)
  expect(looks.at(-1)).toBeGreaterThan(LEAST_WAITING)
  expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(LEAST_WAITING)
  stalled.destroy()
})

test('a page goes on beside sockets that send garbage or come from a page of another origin', async () => {
  await using opened = await open('crowd')
  const path = await hotPath()
  for (const foreign of ['http://evil.example', client.url, 'null']) {
    for (const [at, protocols] of [
      [path, ['vite-hmr']],
      ['/.previewd/live', []],
    ] as const) {
      const { socket } = view(at, [...protocols], foreign)
      await expect(once(socket, 'open')).rejects.toThrow('403')
    }
  }

  // Frames without a mask, and of a kind that does not exist: breaches of the protocol.
  for (const bytes of [Buffer.from('\x81\x05hello', 'latin1'), Buffer.from([0x8f, 0x80, 0, 0, 0, 0])]) {
    const socket = await connectByHand(path)
    socket.write(bytes)
    await once(socket.resume(), 'close')
  }
  const talker = await connectByHand(path)
  for (const text of ['garbage', '{}', '{"type":"update","updates":[]}', '{"type":"full-reload"}'])
    talker.write(frameOf(text))
  const { socket } = view('/.previewd/live', [])
  await once(socket, 'open')
  socket.send('garbage')
  expect((await once(socket, 'close'))[0]).toBe(1008)

  await expectPainted(opened, 'beside garbage')
  expect((await client.status('crowd')).session).toMatchObject({ state: 'live', restarts: 0 })
  talker.destroy()
})

/** What a browser does with a tab in the background: no frames, and timers once a second. */
const IN_BACKGROUND = `
  let state = 'hidden'
  Object.defineProperty(document, 'visibilityState', { get: () => state })
  Object.defineProperty(document, 'hidden', { get: () => state === 'hidden' })
  const { requestAnimationFrame, setTimeout } = window
  window.requestAnimationFrame = (call) => state === 'hidden' ? 0 : requestAnimationFrame(call)
  window.setTimeout = (call, ms = 0, ...rest) =>
    setTimeout(call, state === 'hidden' ? Math.max(ms, 1000) : ms, ...rest)
  window.bringToFront = () => {
    state = 'visible'
    document.dispatchEvent(new Event('visibilitychange'))
  }
`

test('a tab in the background acknowledges an edit as one that nobody sees, and says when somebody does', async () => {
  await client.push('background', appOf('first'), { wait: 'live' })
  await using hidden = await open('background', IN_BACKGROUND)
  const { page } = hidden

  const edit = await client.push('background', { 'src/show.js': code('second') }, { wait: 'painted' })
  expect(edit.code).toBe(200)
  expect(edit.status.painted).toMatchObject({ revision: 2, errors: 0, visible: false })
  expect(await page.textContent('#root')).toBe('second')
  await page.evaluate('window.bringToFront()')
  await expect
    .poll(async () => (await client.status('background')).painted)
    .toMatchObject({ revision: 2, errors: 0, visible: true })
  expect(await page.evaluate('window.typed')).toBe('kept')
  expect(hidden.problems).toEqual([])
})
