import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SessionView } from '../../src/model/session.ts'
import { launchBrowser, type OpenedPage, openPage, untilSession } from './browser.ts'
import type { Client } from './client.ts'
import { type DaemonUnderTest, startDaemonUnderTest } from './daemon-under-test.ts'
import type { Files } from './project-files.ts'
import { sampleProject } from './sample-project.ts'
import { followLog } from './session-log.ts'

const MIB = 1024 * 1024
/** Stands for a host of the internet. Another one in each run, as its port is the one of the web. */
const OUTSIDE = `127.${[1, 2, 3].map(() => randomInt(1, 255)).join('.')}`
const PRESSED = {
  PREVIEWD_MAX_SESSIONS: '3',
  PREVIEWD_SESSION_MEMORY: String(512 * MIB),
  PREVIEWD_POOL_SIZE: '1',
  PREVIEWD_BUILD_QUIET_MS: '600000',
  PREVIEWD_EGRESS: 'allowlist',
  PREVIEWD_EGRESS_ALLOW: `${OUTSIDE},localhost`,
  PREVIEWD_EGRESS_PRIVATE: `${OUTSIDE}/32`,
}

const code = (text: string) =>
  `export const show = () => { document.querySelector('#root').textContent = ${JSON.stringify(text)} }\n`
const MAIN = `import { show } from './show.js'
show()
import.meta.hot?.accept('./show.js', (next) => next.show())
`
/** What the page of a project shows; the waiting page has its name as well. */
const textOf = (project: string) => `the page of ${project}`
const appOf = (project: string, more: Files = {}) =>
  sampleProject('', { 'src/main.js': MAIN, 'src/show.js': code(textOf(project)), ...more })

let browser: Browser
let daemon: DaemonUnderTest
let client: Client
beforeAll(async () => {
  browser = await launchBrowser()
  daemon = await startDaemonUnderTest(PRESSED)
  client = daemon.client
})
afterAll(async () => {
  await browser.close()
  await daemon[Symbol.asyncDispose]()
})

async function sessionOf(project: string): Promise<SessionView> {
  return (await client.status(project)).session
}

async function untilState(project: string, state: SessionView['state'], timeout = 120_000): Promise<void> {
  await expect.poll(async () => (await sessionOf(project)).state, { timeout }).toBe(state)
}

/** A project that is live, its open page, and neither any more at the end. */
async function openLive(
  project: string,
  files: Files = appOf(project),
): Promise<OpenedPage & { project: string }> {
  const started = await client.push(project, files, { wait: 'live' })
  expect(started.status.session).toMatchObject({ state: 'live' })
  const opened = await openPage(browser, client.previewUrl(project), { text: textOf(project) })
  await untilSession(opened)
  const painted = async () => (await client.status(project)).painted
  await expect.poll(painted, { timeout: 60_000 }).toMatchObject({ revision: started.revision })
  await opened.page.evaluate('window.typed = "kept"')
  const close = async () => {
    await opened[Symbol.asyncDispose]()
    await client.session(project, 'DELETE')
  }
  return { ...opened, project, [Symbol.asyncDispose]: close }
}

/** The page takes an edit in place, and has had no trouble since it was opened. */
async function expectUndisturbed({ project, page, problems }: OpenedPage & { project: string }) {
  const text = `edited in revision ${(await client.status(project)).revision + 1}`
  const edit = await client.push(project, { 'src/show.js': code(text) }, { wait: 'painted' })
  expect(edit.code).toBe(200)
  expect(edit.status.painted).toMatchObject({ revision: edit.revision, errors: 0 })
  expect(edit.status.session).toMatchObject({ state: 'live', restarts: 0 })
  expect(await page.textContent('#root')).toBe(text)
  expect(await page.evaluate('window.typed')).toBe('kept')
  expect(problems).toEqual([])
}

/** Shows what it finds in its process and its sandbox, and leaves traces of the project in both. */
const LOOKS_AROUND = (mark: string) => `import { readdirSync, writeFileSync } from 'node:fs'
const found = JSON.stringify({
  globals: Reflect.ownKeys(globalThis).map(String),
  env: process.env,
  tmp: readdirSync('/tmp', { recursive: true }),
  app: readdirSync('/app'),
  src: readdirSync('/app/src'),
})
globalThis.leftBy${mark} = true
process.env.LEFT_BY = '${mark}'
writeFileSync('/tmp/${mark}', '')
export default { define: { __FOUND__: JSON.stringify(found) } }
`
const SHOWS_FOUND = `${MAIN}
const found = document.createElement('pre')
found.textContent = __FOUND__ + import.meta.env.VITE_WORD
document.body.append(found)
`
const looksAround = (project: string, mark: string) =>
  appOf(project, {
    'vite.config.js': LOOKS_AROUND(mark),
    'src/main.js': SHOWS_FOUND,
    [`src/file-of-${mark}.js`]: '',
  })

async function workersReady(): Promise<number> {
  const metrics = await (await fetch(`${client.url}/metrics`)).text()
  return Number(/^previewd_pool_workers\{state="ready"\} (\d+)$/m.exec(metrics)?.[1])
}

test('a page of a worker that waited follows edits, and shows nothing of the project before', async () => {
  await client.settings('before', { env: { VITE_WORD: 'word-of-zebra' } })
  await client.settings('after', { env: { VITE_WORD: 'word-of-okapi' } })
  await using before = await openLive('before', looksAround('before', 'Zebra'))
  expect(await before.page.textContent('pre')).toMatch(/file-of-Zebra.*word-of-zebra/)
  await expect.poll(workersReady, { timeout: 120_000 }).toBe(1)

  await using after = await openLive('after', looksAround('after', 'Okapi'))
  expect(await sessionOf('after')).toMatchObject({ pool: 'hit' })
  const found = await after.page.textContent('pre')
  expect(found).toMatch(/file-of-Okapi.*word-of-okapi/)
  expect(found).not.toMatch(/zebra/i)
  await expectUndisturbed(after)
  await expectUndisturbed(before)
})

test('for a page without a place the session sleeps that was used longest ago; other pages see nothing of it', async () => {
  await using watched = await openLive('watched')
  for (const id of ['again', 'longest']) await client.push(id, appOf(id), { wait: 'live' })
  // The order in which they were used is not the one in which they started.
  expect((await client.preview('again', '/src/show.js')).code).toBe(200)
  await client.push('newcomer', appOf('newcomer'), { wait: 'applied' })
  await client.session('newcomer', 'PUT')
  await using newcomer = await openPage(browser, client.previewUrl('newcomer'), { text: textOf('newcomer') })
  await untilState('newcomer', 'live')
  await untilSession(newcomer)
  expect(await sessionOf('longest')).toMatchObject({
    state: 'off',
    reason: 'Asleep: another project needed its place.',
  })
  expect(await sessionOf('again')).toMatchObject({ state: 'live' })
  await expectUndisturbed(watched)

  await using woken = await openPage(browser, client.previewUrl('longest'), { text: textOf('longest') })
  await untilSession(woken)
  expect(await sessionOf('longest')).toMatchObject({ state: 'live' })
  expect(await sessionOf('again')).toMatchObject({ state: 'off' })
  const edit = await client.push('longest', { 'src/show.js': code('awake again') }, { wait: 'painted' })
  expect(edit.status.painted).toMatchObject({ revision: 2, errors: 0 })
  expect(await woken.page.textContent('#root')).toBe('awake again')
  await expectUndisturbed(watched)
  for (const id of ['newcomer', 'longest']) await client.session(id, 'DELETE')
})

/** As a plugin of project code that never comes to an end. */
const EATS = `const eaten = []
export default { plugins: [{ name: 'eats', transform(_, id) {
  if (id.endsWith('/src/main.js')) for (;;) eaten.push(Buffer.alloc(${16 * MIB}, 1))
} }] }
`

test('a session that takes all memory is ended, comes back a few times, and does not disturb its neighbour', async () => {
  await using neighbour = await openLive('neighbour')
  const hungry = appOf('hungry', { 'vite.config.js': EATS })
  expect((await client.push('hungry', hungry, { wait: 'live' })).status.session.state).toBe('live')
  const context = await browser.newContext()
  const page = await context.newPage()
  // Its script does not come.
  await page.goto(client.previewUrl('hungry'), { waitUntil: 'commit' })
  await expect.poll(async () => (await sessionOf('hungry')).restarts, { timeout: 120_000 }).toBeGreaterThan(0)
  await expectUndisturbed(neighbour)
  await untilState('hungry', 'error', 180_000)
  expect(await sessionOf('hungry')).toMatchObject({
    restarts: 3,
    reason: 'It ended too often. The server needed more memory than it may have.',
  })

  await client.push('hungry', { 'vite.config.js': 'export default {}\n' }, { wait: 'live' })
  // By itself, and not only after the minute for which a page that failed again and again is left alone.
  await page.getByText(textOf('hungry')).waitFor({ timeout: 45_000 })
  await expectUndisturbed(neighbour)
  await context.close()
  await client.session('hungry', 'DELETE')
})

/** With a dot at its end, the name of the machine is none of those that clients ask without the proxy. */
const ASKED = {
  allowed: `http://${OUTSIDE}/`,
  refused: 'http://api.example.com/',
  inside: 'http://localhost./',
  redirected: `http://${OUTSIDE}/?to=http://169.254.169.254/latest`,
  mistake: 'a mistake',
}
const NOT_LISTED = (host: string) => `${host} is not on the list of hosts that may be reached.`
const NOT_PUBLIC = 'localhost has an address that is not public.'
/** Asks other hosts as the loaders of a server-rendered app would, with both clients that Node has. */
const LOADS = `import { get } from 'node:http'
const fetched = async (url) => {
  try { return await (await fetch(url)).text() } catch (error) { return String(error.cause ?? error) }
}
const got = (url) => new Promise((resolve) => {
  get(url, async (answer) => {
    const text = (await Array.fromAsync(answer)).join('')
    resolve([answer.statusCode, answer.headers['x-previewd-egress'], text].join(' '))
  }).on('error', (error) => resolve(String(error)))
})
const answer = async (url) => {
  if (!url.startsWith('http')) throw new Error(url + ' of the app')
  return [await fetched(url), await got(url)].join(' | ')
}
export default { plugins: [{ name: 'loads', configureServer(server) {
  server.middlewares.use('/load', (req, res) =>
    answer(decodeURIComponent(req.url.slice(2))).then((text) => res.end(text), (error) => {
      console.error(String(error))
      res.end(String(error))
    }))
} }] }
`
const SHOWS_ANSWERS = `${MAIN}
for (const [id, url] of Object.entries(${JSON.stringify(ASKED)})) {
  const answer = await (await fetch('/load?' + encodeURIComponent(url))).text()
  document.body.append(Object.assign(document.createElement('p'), { id, textContent: answer }))
}
`

/** Undefined where this user may not have the port. */
async function listenOutside(): Promise<Server | undefined> {
  const server = createServer((req, res) => {
    const [, to] = req.url?.split('?to=') ?? []
    if (to === undefined) res.end('from outside')
    else res.writeHead(302, { location: to }).end()
  })
  try {
    await once(server.listen(80, OUTSIDE), 'listening')
    return server
  } catch {
    return undefined
  }
}

test('a page whose server is refused the way out learns of it at once, and the log tells it from errors of the app', async ({
  skip,
}) => {
  const outside = await listenOutside()
  if (outside === undefined) return skip('Port 80 is not to be had.')
  await using resources = new AsyncDisposableStack()
  resources.defer(() => {
    outside.closeAllConnections()
    outside.close()
  })
  await client.settings('loads', { egress: 'allowlist' })
  const files = appOf('loads', { 'vite.config.js': LOADS, 'src/main.js': SHOWS_ANSWERS })
  const opened = resources.use(await openLive('loads', files))
  using log = followLog(client, 'loads')
  const shown = (id: keyof typeof ASKED) => opened.page.locator(`#${id}`).textContent({ timeout: 60_000 })
  expect(await shown('allowed')).toBe('from outside | 200  from outside')
  const isRefused = /^\w*Error: .+ \| 403 refused previewd: /
  expect(await shown('refused')).toMatch(isRefused)
  expect(await shown('refused')).toContain(NOT_LISTED('api.example.com'))
  expect(await shown('inside')).toMatch(isRefused)
  expect(await shown('inside')).toContain(NOT_PUBLIC)
  expect(await shown('redirected')).toMatch(/^\w*Error: .+ \| 302 /)
  expect(await shown('mistake')).toBe('Error: a mistake of the app')

  await expect.poll(() => log.lines).toContain('Error: a mistake of the app')
  expect(new Set(log.lines.filter((line) => /previewd|Error/.test(line)))).toEqual(
    new Set([
      `previewd refused api.example.com:80: ${NOT_LISTED('api.example.com')}`,
      `previewd refused localhost.:80: ${NOT_PUBLIC}`,
      `previewd refused 169.254.169.254:80: ${NOT_LISTED('169.254.169.254')}`,
      'Error: a mistake of the app',
    ]),
  )
  await expectUndisturbed(opened)
})
