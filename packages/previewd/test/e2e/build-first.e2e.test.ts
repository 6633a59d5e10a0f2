import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, openPage, untilSession } from './browser.ts'
import { startDaemonUnderTest } from './daemon-under-test.ts'
import { sampleProject } from './sample-project.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

const SHOW = `export const show = (text) => { document.querySelector('#root').textContent = text }\n`
const MAIN = `import { show } from './show.js'
document.body.style.height = '4000px'
show(import.meta.env.PROD ? 'the build' : 'the session')
sessionStorage.first ??= document.querySelector('#root').textContent
import.meta.hot?.accept('./show.js', (next) => next.show('edited'))
`
const FILES = sampleProject('', { 'src/main.js': MAIN, 'src/show.js': SHOW })

/** Where the pages of the frame have been, in order. */
const addresses = (urls: string[]) => urls.map((url) => new URL(url).pathname + new URL(url).search)

test('an editor sees the build at once, and the session in its place, at the same address and scroll', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  await client.push('first', FILES, { wait: 'built' })
  const address = `${client.previewUrl('first')}deep/link?a=1&b=2#part`
  await using opened = await openPage(browser, address)
  const { page } = opened
  const loaded: string[] = []
  page.on('request', (request) => request.isNavigationRequest() && loaded.push(request.url()))
  expect(await page.textContent('#root')).toBe('the build')
  await page.evaluate('scrollTo(0, 1234)')
  await client.session('first', 'PUT')
  await page.getByText('the session').waitFor()
  expect(page.url()).toBe(address)
  await expect.poll(() => page.evaluate('scrollY')).toBe(1234)
  expect(addresses(loaded)).toEqual(['/deep/link?a=1&b=2&previewd_live=1'])
  expect(await page.evaluate('history.length')).toBe(2)

  await untilSession(opened)
  const edited = await client.push('first', { 'src/show.js': `${SHOW}// other\n` }, { wait: 'painted' })
  expect(edited.status.painted).toMatchObject({ revision: 2, errors: 0 })
  expect(await page.textContent('#root')).toBe('edited')
  expect(opened.problems).toEqual([])
})

test('an edit that comes while the build is on the screen is painted when the session has taken its place', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  await client.push('early', FILES, { wait: 'built' })
  await client.push('early', {}, { wait: 'live' })
  await using opened = await openPage(browser, client.previewUrl('early'))
  const status = async () => (await client.status('early')).painted
  await expect.poll(status).toMatchObject({ revision: 1 })
  const main = MAIN.replace('the session', 'the edited session')
  const edited = await client.push('early', { 'src/main.js': main }, { wait: 'painted' })
  expect(edited.status.painted).toMatchObject({ revision: 2, errors: 0 })
  expect(await opened.page.textContent('#root')).toBe('the edited session')
  expect(await opened.page.evaluate('sessionStorage.first')).toBe('the build')
})

test('an editor who loads a page anew, or whose files are not built yet, gets the session itself', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  await client.push('anew', FILES, { wait: 'built' })
  await client.push('anew', {}, { wait: 'live' })
  await using opened = await openPage(browser, client.previewUrl('anew'), { text: 'the session' })
  // However often somebody comes in a short time.
  for (let visit = 0; visit < 4; visit++) {
    await opened.page.goto(client.previewUrl('anew'))
    await opened.page.getByText('the session').waitFor()
  }
  await opened.page.reload()
  expect(await opened.page.textContent('#root')).toBe('the session')
  await client.push('anew', { 'src/show.js': `${SHOW}// other\n` }, { wait: 'applied' })
  const { text } = await client.preview('anew', '/', { accept: 'text/html' })
  expect(text).toContain('/@vite/client')
})

test('who is no editor gets the build, whatever the address says', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  await client.push('other', FILES, { wait: 'built' })
  await client.push('other', {}, { wait: 'live' })
  const headers = { accept: 'text/html', 'x-forwarded-for': '192.0.2.1' }
  expect((await client.preview('other', '/?previewd_live=1', headers)).text).toContain('/assets/')
})
