import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, openPage, untilSession } from './browser.ts'
import { startDaemonUnderTest } from './daemon-under-test.ts'
import { startPythonApp } from './python-process.ts'
import { sampleProject } from './sample-project.ts'

const EXAMPLE = join(import.meta.dirname, '../../../../examples/chat-platform-python')
const SAMPLE_APPS = join(import.meta.dirname, '../../../../clients/python/tests')
const API_KEY = 'key-of-the-platform'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

test('on a platform that FastAPI serves alone, the preview grows while the model writes', async () => {
  await using daemon = await startDaemonUnderTest({
    PREVIEWD_API_KEY: API_KEY,
    PREVIEWD_BUILD_QUIET_MS: '100',
  })
  await using platform = await startPythonApp(EXAMPLE, 'gated_platform:app', {
    PREVIEWD_URL: daemon.client.url,
    PREVIEWD_API_KEY: API_KEY,
  })
  await using opened = await openPage(browser, `http://localhost:${platform.port}/`)
  const { page } = opened
  const preview = page.frameLocator('iframe')
  await page.getByRole('button', { name: 'Send' }).click()

  await preview.getByRole('heading', { name: 'Tea timer' }).waitFor()
  expect(await page.locator('.done').count()).toBe(0)
  expect(await preview.getByRole('button').count()).toBe(0)
  await fetch(`http://127.0.0.1:${platform.port}/go-on`, { method: 'POST' })
  await preview.getByRole('button', { name: 'Sencha' }).waitFor()
  await page.locator('.done').waitFor()
  // The next message stands there when the answer before is over.
  await expect.poll(() => page.getByRole('textbox').inputValue()).not.toBe('')

  const frame = page.frames()[1] ?? expect.fail()
  await untilSession(opened, frame)
  await preview.getByRole('button', { name: 'Assam' }).click()
  await preview.getByText(/^\d:\d\d$/).waitFor()
  await page.getByRole('button', { name: 'Send' }).click()
  const size = () => frame.evaluate("getComputedStyle(document.querySelector('output')).fontSize")
  await expect.poll(size).toBe('80px')
  // A page that was loaded anew would have no clock.
  expect(await preview.getByText(/^\d:\d\d$/).count()).toBe(1)

  expect(new URL(frame.url()).port).toBe(String(platform.port))
  expect(
    opened.problems.filter((problem) => problem.includes(`:${new URL(daemon.client.url).port}`)),
  ).toEqual([])
})

test('without names for previews, FastAPI shows what is published below its own path', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_PATH_MODE: 'sandboxed' })
  await using platform = await startPythonApp(SAMPLE_APPS, 'sample_platform:app', {
    PREVIEWD_URL: daemon.client.url,
  })
  const main = `const show = () => { document.querySelector('#root').textContent = 'at ' + location.pathname }
addEventListener('popstate', show)
show()
addEventListener('click', () => { history.pushState(null, '', '/about'); show() })
`
  await daemon.client.push('demo', { ...sampleProject(''), 'src/main.js': main })
  const url = `http://localhost:${platform.port}/preview/demo/`
  await using opened = await openPage(browser, url, { text: 'at /' })
  const { page } = opened
  expect(await page.evaluate('self.origin')).toBe('null')
  await page.locator('#root').click()
  await page.getByText('at /about').waitFor()
  await page.reload()
  await page.getByText('at /about').waitFor()
  expect(opened.problems).toEqual([])
})

test('while previewd is away, the page asks again by itself until it is there', async () => {
  let isAway = true
  // Away at a port of its own all the time: one that is let go may be taken by another.
  const later = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<h1>It is back</h1>')
  })
  later.on('connection', (socket) => isAway && socket.destroy())
  later.listen(0, '127.0.0.1')
  await once(later, 'listening')
  const { port } = later.address() as AddressInfo
  await using platform = await startPythonApp(SAMPLE_APPS, 'sample_platform:app', {
    PREVIEWD_URL: `http://127.0.0.1:${port}`,
    PREVIEW_DOMAIN: 'localhost',
  })
  await using opened = await openPage(browser, `http://demo.localhost:${platform.port}/`, {
    text: 'does not answer',
  })
  isAway = false
  await opened.page.getByText('It is back').waitFor()
  later.close()
  later.closeAllConnections()
})
