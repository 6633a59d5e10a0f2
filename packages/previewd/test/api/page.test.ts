import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser } from '../e2e/browser.ts'
import { call, startServer, type TestServer, withDemo } from './server.ts'

let browser: Browser
let page: Page
let server: TestServer

beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())
afterEach(async () => {
  await page.close()
  await server.close()
})

async function open(environment: NodeJS.ProcessEnv = {}): Promise<string[]> {
  server = await startServer(environment)
  const problems: string[] = []
  page = await browser.newPage()
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('dialog', (dialog) => problems.push(`dialog: ${dialog.message()}`))
  return problems
}

const addStatus = (id: string) => server.events.publish('status', id, server.pipeline.status(id))

describe('the page at /', () => {
  it('says how to begin where there is no project, and shows the first one as it comes', async () => {
    const problems = await open()
    await page.goto(await server.listen())
    await page.getByText('No project yet').waitFor()
    await page.getByText('live', { exact: true }).waitFor()
    await withDemo(server)
    addStatus('demo')
    await page.getByRole('heading', { name: 'demo' }).waitFor()
    expect(await page.locator('iframe').getAttribute('src')).toBe('http://demo.localhost:4400/')
    expect(await page.locator('iframe').getAttribute('sandbox')).not.toContain('top-navigation')
    expect(problems.filter((problem) => !problem.includes('ERR_CONNECTION_REFUSED'))).toEqual([])
  })

  it('shows what projects wrote as text, never as HTML', async () => {
    const problems = await open()
    const bad = '<img src=x onerror=alert(1)>'
    await withDemo(server)
    await call(server, 'PUT', '/v1/projects/demo', { body: { name: bad } })
    await call(server, 'POST', '/v1/projects/demo/builds', { body: { force: true } })
    server.pipeline.write('demo', `${bad} in the log`)
    server.pipeline.finish('demo', 'failed', [
      { origin: 'build', severity: 'error', message: bad, file: bad, frame: bad, hint: bad },
    ])
    await page.goto(await server.listen())
    await page.getByRole('heading', { name: bad }).waitFor()
    await page.getByRole('tab', { name: 'Log' }).click()
    await page.getByText(`${bad} in the log`).waitFor()
    await page.getByRole('tab', { name: 'Problems (1)' }).click()
    expect(await page.locator('.problem').getByText(bad).count()).toBe(4)
    expect(await page.locator('img[src="x"]').count()).toBe(0)
    expect(problems.filter((problem) => problem.startsWith('dialog'))).toEqual([])
  })

  it('follows the state and the log of the project that is shown', async () => {
    await open()
    await withDemo(server)
    await page.goto(await server.listen())
    await page.getByText('live', { exact: true }).waitFor()
    await call(server, 'POST', '/v1/projects/demo/builds', { body: { force: true } })
    addStatus('demo')
    await page.locator('.title .state', { hasText: 'queued' }).waitFor()
    await page.getByRole('tab', { name: 'Log' }).click()
    server.pipeline.write('demo', 'a line that comes later')
    await page.getByText('a line that comes later').waitFor()
    server.pipeline.finish('demo', 'succeeded')
    addStatus('demo')
    await page.locator('.title .state', { hasText: 'ready' }).waitFor()
  })

  it('asks for a key where the server has one, and keeps it in the tab', async () => {
    const key = 'key-of-the-page-test'
    await open({ PREVIEWD_API_KEY: key })
    await call(server, 'PUT', '/v1/projects/demo', { headers: { authorization: `Bearer ${key}` } })
    await page.goto(await server.listen())
    await page.getByLabel('API key').fill('a wrong key')
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByText('does not accept this key').waitFor()
    await page.getByLabel('API key').fill(key)
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('heading', { name: 'demo' }).waitFor()
    await page.getByText('live', { exact: true }).waitFor()
    expect(await page.evaluate('localStorage.length')).toBe(0)
  })

  it('works with the key of one project', async () => {
    await open({ PREVIEWD_API_KEY: 'key-of-the-page-test' })
    await call(server, 'PUT', '/v1/projects/demo', {
      headers: { authorization: 'Bearer key-of-the-page-test' },
    })
    const { key } = server.store.keys.create('one', { kind: 'project', project: 'demo' })
    await page.goto(await server.listen())
    await page.getByLabel('API key').fill(key)
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('heading', { name: 'demo' }).waitFor()
    await page.getByText('live', { exact: true }).waitFor()
  })
})

describe('the pages at /docs', () => {
  it('show the calls without loading anything from elsewhere', async () => {
    const problems = await open()
    const base = await server.listen()
    const requested: string[] = []
    page.on('request', (request) => requested.push(new URL(request.url()).origin))
    await page.goto(`${base}/docs`)
    await page.getByText('/v1/projects/{id}/changes').waitFor()
    expect(new Set(requested.filter((origin) => origin !== 'null'))).toEqual(new Set([base]))
    expect(problems).toEqual([])
  })
})

describe('a page of another origin', () => {
  it('cannot read the API, nor change anything with a form', async () => {
    await open()
    await withDemo(server)
    const base = await server.listen()
    await page.route('http://demo.localhost/**', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<form action="${base}/build/demo" method="post"></form>`,
      }),
    )
    await page.goto('http://demo.localhost/')
    const read = await page.evaluate(`fetch('${base}/v1/projects').then((r) => r.status, () => 'blocked')`)
    expect(read).toBe('blocked')
    const before = server.store.builds.newest('demo')?.id
    await Promise.all([page.waitForURL(`${base}/build/demo`), page.evaluate('document.forms[0].submit()')])
    expect(await page.textContent('body')).toContain('ORIGIN_NOT_ALLOWED')
    expect(server.store.builds.newest('demo')?.id).toBe(before)
  })
})
