import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launchBrowser } from '../e2e/browser.ts'
import { DevServers, DevSession, PROJECT } from './dev-session.ts'

const APP = {
  'index.html': `<!doctype html><html><head><title>t</title></head><body>
    <h1></h1><p id="count"></p><script type="module" src="/main.js"></script></body></html>`,
  'main.js': `import { text } from './text.js'
    const data = import.meta.hot.data
    data.count ??= 0
    document.querySelector('#count').textContent = 'run ' + ++data.count
    document.querySelector('h1').textContent = text
    import.meta.hot.accept()`,
  'text.js': `export const text = 'first text'`,
}

let servers: DevServers
let browser: Browser
let context: BrowserContext
beforeAll(async () => {
  servers = await DevServers.open()
  browser = await launchBrowser()
}, 60_000)
afterAll(async () => {
  await browser.close()
  await servers[Symbol.asyncDispose]()
}, 60_000)
beforeEach(async () => {
  context = await browser.newContext()
})
afterEach(() => context.close())

async function openApp(session: DevSession, path = '/'): Promise<Page> {
  const page = await context.newPage()
  await page.goto(session.origin + path)
  return page
}

describe('an editor', () => {
  test('sees an edit without a reload, with the state of the module kept, and the page says so', async () => {
    await using session = await DevSession.start(servers, APP)
    const page = await openApp(session)
    await page.getByText('first text').waitFor()
    expect(await session.painted(1)).toEqual({ errors: 0, visible: true })
    await page.evaluate('window.mark = 1')
    await session.edit({ 'text.js': `export const text = 'second text'` })
    await page.getByText('second text').waitFor()
    expect(await page.locator('#count').textContent()).toBe('run 2')
    expect(await page.evaluate('window.mark')).toBe(1)
    expect(await session.painted(2)).toEqual({ errors: 0, visible: true })
    expect(session.viewers.count(PROJECT)).toBe(1)
    expect(session.preview.logged).toEqual([])
  })
})
