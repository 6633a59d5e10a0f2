import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, newPage, openPage, untilSession } from './browser.ts'
import { startDaemonUnderTest } from './daemon-under-test.ts'
import { sampleProject } from './sample-project.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

const code = (text: string) =>
  `export const show = () => { document.querySelector('#root').textContent = ${JSON.stringify(text)} }\n`
const MAIN = `import { show } from './show.js'
window.loads = (window.loads ?? 0) + 1
show()
import.meta.hot?.accept('./show.js', (next) => next.show())
`

test('an editor sees each change in the open page, without a reload, and others the build that follows', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '100' })
  const { client } = daemon
  const first = { ...sampleProject(''), 'src/main.js': MAIN, 'src/show.js': code('first') }
  const started = await client.push('live', first, { wait: 'live' })
  expect(started).toMatchObject({ code: 200, status: { session: { state: 'live', revision: 1 } } })

  await using opened = await openPage(browser, client.previewUrl('live'), { text: 'first' })
  await untilSession(opened)
  await opened.page.evaluate('window.typed = "kept"')
  const edit = await client.push('live', { 'src/show.js': code('second') }, { wait: 'painted' })
  expect(edit).toMatchObject({ code: 200, status: { painted: { revision: 2, errors: 0 } } })
  expect(await opened.page.textContent('#root')).toBe('second')
  expect(await opened.page.evaluate('window.typed')).toBe('kept')

  await expect.poll(async () => (await client.status('live')).published?.revision).toBe(2)
  expect((await client.preview('live', '/', { 'x-forwarded-for': '192.0.2.1' })).text).toContain('/assets/')
  expect(opened.problems).toEqual([])
})

test('after a restart a session comes back when an editor opens its preview, and one that was stopped does not', async () => {
  await using daemon = await startDaemonUnderTest()
  const app = { ...sampleProject(''), 'src/main.js': MAIN, 'src/show.js': code('shown') }
  for (const id of ['wanted', 'stopped']) await daemon.client.push(id, app, { wait: 'live' })
  await daemon.client.session('stopped', 'DELETE')
  await daemon.restart()
  const { client } = daemon
  expect((await client.status('wanted')).session).toMatchObject({ state: 'off' })

  await using wanted = await openPage(browser, client.previewUrl('wanted'), { text: 'shown' })
  await untilSession(wanted)
  await client.push('stopped', {}, { wait: 'built' })
  await using stopped = await openPage(browser, client.previewUrl('stopped'), { text: 'shown' })
  await expect.poll(async () => (await client.status('stopped')).session.viewers).toBe(1)
  const edit = await client.push('stopped', { 'src/show.js': code('edited') }, { wait: 'built' })
  expect(edit.status.session).toMatchObject({ state: 'off' })
  expect([...wanted.problems, ...stopped.problems]).toEqual([])
})

test('a session that sleeps stays so for an edit that nobody watches, and comes back when an editor opens its preview', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_SESSION_IDLE_MS: '3000' })
  const { client } = daemon
  const app = { ...sampleProject(''), 'src/main.js': MAIN, 'src/show.js': code('first') }
  await client.push('asleep', app, { wait: 'live' })
  const state = async () => (await client.status('asleep')).session.state
  await expect.poll(state).toBe('off')
  expect((await client.push('asleep', { 'notes.txt': 'unseen' })).status.session.state).toBe('off')

  await using opened = await openPage(browser, client.previewUrl('asleep'), { text: 'first' })
  await untilSession(opened)
  expect(await state()).toBe('live')
  expect(opened.problems).toEqual([])
})

test('a page comes back by itself when its dev server has crashed, and goes on with the next edit', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  const config = `export default { plugins: [{ name: 'crash', configureServer(server) {
    server.middlewares.use('/crash', () => process.exit(3)) } }] }`
  const app = { ...sampleProject(''), 'src/main.js': MAIN, 'src/show.js': code('first') }
  await client.push('crashes', { ...app, 'vite.config.js': config }, { wait: 'live' })
  await using opened = await openPage(browser, client.previewUrl('crashes'), { text: 'first' })
  await untilSession(opened)
  await opened.page.evaluate("window.before = true; void fetch('/crash').catch(() => undefined)")
  const isNew = "window.before === undefined && document.querySelector('#root')?.textContent === 'first'"
  await opened.page.waitForFunction(isNew)
  expect((await client.status('crashes')).session).toMatchObject({ state: 'live', restarts: 1 })
  const edit = await client.push('crashes', { 'src/show.js': code('second') }, { wait: 'painted' })
  expect(edit).toMatchObject({ code: 200, status: { painted: { revision: 2, errors: 0 } } })
  expect(await opened.page.textContent('#root')).toBe('second')
})

test('a page that an update never reached does not take itself for current, and is loaded anew', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  const first = { ...sampleProject(''), 'src/main.js': MAIN, 'src/show.js': code('first') }
  await client.push('missed', first, { wait: 'live' })

  const page = await newPage(browser)
  let isConnected = false
  let lost = 0
  // The socket of a page can open between an update and the word of its revision, which follows when that is durable.
  await page.routeWebSocket(/\?token=/, (socket) => {
    const server = socket.connectToServer()
    server.onMessage((message) => {
      isConnected ||= String(message).includes('"type":"connected"')
      if (lost === 0 && String(message).includes('"type":"update"')) lost++
      else socket.send(message)
    })
  })
  await page.goto(client.previewUrl('missed'))
  await page.getByText('first').waitFor()
  await expect.poll(() => isConnected).toBe(true)
  const edit = await client.push('missed', { 'src/show.js': code('second') }, { wait: 'painted' })
  expect(lost).toBe(1)
  expect(await page.textContent('#root')).toBe('second')
  expect(edit).toMatchObject({ code: 200, status: { painted: { revision: 2, errors: 0 } } })
  await page.close()
})

test('a page whose script is not there yet shows it once it is, and one whose script was lost asks again', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  const { 'src/main.js': _, ...frame } = sampleProject('')
  await client.push('partial', frame, { wait: 'live' })

  const page = await newPage(browser)
  await page.goto(client.previewUrl('partial'))
  await expect.poll(async () => (await client.status('partial')).painted?.errors).toBe(1)
  const whole = await client.push(
    'partial',
    { 'src/main.js': MAIN, 'src/show.js': code('there') },
    { wait: 'painted' },
  )
  expect(whole.status.painted).toMatchObject({ revision: 2, errors: 0 })
  expect(await page.textContent('#root')).toBe('there')

  await page.route('**/src/show.js*', (route) => route.abort(), { times: 1 })
  await page.reload()
  await page.getByText('there').waitFor()
  await page.close()
})

test('a page that a dev server never answers for comes by itself when an edit has the server restarted in place', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  const silent = `export default { plugins: [{ name: 'silent', configureServer({ middlewares }) {
    middlewares.use((req, res, next) => { if (!req.headers.accept?.includes('text/html')) next() }) } }] }`
  const files = { ...sampleProject('answered'), 'vite.config.js': silent }
  const started = await client.push('silent', files, { wait: 'live' })
  expect(started.status.session).toMatchObject({ state: 'live' })
  const page = await newPage(browser)
  const asked = page.waitForRequest(client.previewUrl('silent'))
  const opening = page.goto(client.previewUrl('silent'))
  await asked
  const edit = { 'vite.config.js': 'export default {}' }
  expect((await client.push('silent', edit, { wait: 'live' })).status.session).toMatchObject({ restarts: 0 })
  await opening
  await page.getByText('answered').waitFor()
  await page.close()
})
