import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, openPage, untilSession } from './browser.ts'
import { type DaemonUnderTest, startDaemonUnderTest } from './daemon-under-test.ts'
import type { Files } from './project-files.ts'
import { sampleProject } from './sample-project.ts'

const MODULES = 50

let browser: Browser
let daemon: DaemonUnderTest
beforeAll(async () => {
  browser = await launchBrowser()
  daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000', PREVIEWD_POOL_SIZE: '0' })
})
afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await browser.close()
})

const show = (words: string) => `import { numbers } from './numbers.ts'
export const show = () => { document.querySelector('#root').textContent = '${words} ' + numbers() }
`
const number = (value: number) => `export const value: number = ${value}\n`
const numbers = (value: number): Files =>
  Object.fromEntries(
    Array.from({ length: MODULES }, (_, index) => [`src/numbers/${index}.ts`, number(value)]),
  )
const color = (value: string) => `#root { color: ${value} }\n`

/** It tells which files, sockets and watches its dev server holds open. */
const config = (made: string) => `import { readdirSync, readlinkSync } from 'node:fs'
const read = (descriptor) => { try { return readlinkSync('/proc/self/fd/' + descriptor) } catch { return 'closed' } }
const answer = (_, res) => res.end(readdirSync('/proc/self/fd').map(read).join('\\n'))
const open = { name: 'open', configureServer: (server) => void server.middlewares.use('/descriptors', answer) }
export default { plugins: [open], define: { __MADE__: '"${made}"' } }
`

function appWith(vite: string): Files {
  return sampleProject('', {
    'package.json': JSON.stringify({
      private: true,
      type: 'module',
      scripts: { build: 'vite build' },
      devDependencies: { vite },
    }),
    'vite.config.js': config('by one'),
    'src/main.js': `import './style.css'
import { show } from './show.js'
window.loads = (window.loads ?? 0) + 1
document.title = __MADE__
show()
import.meta.hot.accept('./show.js', (next) => next.show())
`,
    'src/style.css': color('rgb(1, 1, 1)'),
    'src/show.js': show('first'),
    'src/numbers.ts': `const all = import.meta.glob('./numbers/*.ts', { eager: true })
export const numbers = () => Object.values(all).reduce((sum: number, { value }: any) => sum + value, 0)
`,
    ...numbers(1),
  })
}

test.for(['4', '5', '6', '7', '8'])('a session of Vite %s follows every kind of change', async (version) => {
  const { client } = daemon
  const id = `vite-${version}`
  const started = await client.push(id, appWith(`^${version}.0.0`), { wait: 'live' })
  expect(started).toMatchObject({ code: 200, status: { session: { state: 'live' } } })
  await using opened = await openPage(browser, client.previewUrl(id), { text: 'first 50' })
  const { page } = opened
  const payloads: string[] = []
  page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => payloads.push(String(payload))),
  )
  await page.reload()
  await page.getByText('first 50').waitFor()
  await untilSession(opened)
  const painted = async () => (await client.status(id)).painted
  await expect.poll(painted).toMatchObject({ revision: 1, errors: 0 })
  const root = async () => await page.textContent('#root')
  const change = async (files: Files, deleted: string[] = []) => {
    const answer = await client.push(id, files, { wait: 'painted', deleted })
    expect(answer).toMatchObject({ code: 200, status: { painted: { revision: answer.revision } } })
  }

  await page.evaluate('window.typed = "kept"')
  await change({ 'src/show.js': show('second') })
  expect(await root()).toBe('second 50')
  await change({ 'src/style.css': color('rgb(2, 2, 2)') })
  await page.waitForFunction('getComputedStyle(document.querySelector("#root")).color === "rgb(2, 2, 2)"')
  payloads.length = 0
  await change(numbers(2))
  await expect.poll(root).toBe('second 100')
  expect(payloads.filter((payload) => payload.includes('"type":"update"'))).toHaveLength(1)
  await change({ 'src/numbers/more.ts': number(11) })
  await expect.poll(root).toBe('second 111')
  await change({ 'src/numbers/most.ts': number(12) }, ['src/numbers/more.ts'])
  await expect.poll(root).toBe('second 112')
  await change({}, ['src/numbers/most.ts'])
  await expect.poll(root).toBe('second 100')

  const broken = await client.push(id, { 'src/numbers/0.ts': 'export const = 1\n' }, { wait: 'live' })
  await expect.poll(painted).toMatchObject({ revision: broken.revision, errors: 1 })
  await page.locator('vite-error-overlay').waitFor()
  await expect
    .poll(async () => (await client.status(id)).diagnostics)
    .toMatchObject([{ file: 'src/numbers/0.ts' }])
  await change({ 'src/numbers/0.ts': number(5) })
  await expect.poll(root).toBe('second 103')
  await page.locator('vite-error-overlay').waitFor({ state: 'detached' })
  expect(await page.evaluate('[window.typed, window.loads]')).toEqual(['kept', 1])

  await change({ 'vite.config.js': config('by two') })
  await expect.poll(() => page.title()).toBe('by two')
  expect((await client.status(id)).session).toMatchObject({ state: 'live', restarts: 0 })
  // All that came without a watcher.
  const { text: descriptors } = await client.preview(id, '/descriptors')
  expect(descriptors).toContain('socket:')
  expect(descriptors).not.toContain('inotify')
  // Before the session ends: the build that follows would load the page anew while it is being closed.
  await page.close()
  await client.session(id, 'DELETE')
})
