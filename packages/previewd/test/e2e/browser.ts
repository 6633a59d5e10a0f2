import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'

/** Chromium without its own sandbox: the pages are this repository's fixtures, and tests often run as root. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.PREVIEWD_CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

export interface OpenedPage extends AsyncDisposable {
  page: Page
  /** Console errors, thrown errors, failed requests and answers from 400 up, in order. */
  problems: string[]
}

/** Opens an address in a context of its own and waits until the text is on the page. */
export async function openPage(
  browser: Browser,
  url: string,
  options: { text?: string | RegExp; name?: string } = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
  const page = await context.newPage()
  const problems = watchProblems(page)
  await page.goto(url, { timeout: 90_000 })
  if (options.text !== undefined) {
    await page.getByText(options.text).first().waitFor({ state: 'visible', timeout: 90_000 })
  }
  if (options.name !== undefined) await page.screenshot({ path: screenshotPath(options.name) })
  return { page, problems, [Symbol.asyncDispose]: () => context.close() }
}

/** Resolves when the page is one of the session: an editor's may be the published build first. */
export async function untilSession(page: Page): Promise<void> {
  await page.waitForFunction(`document.querySelector('script[src*="/@vite/client"]') !== null`)
}

function watchProblems(page: Page): string[] {
  const problems: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`console: ${message.text()} ${message.location().url}`)
  })
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`))
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? 'failed'
    // The waiting page leaves as soon as it may, whatever it was asking.
    if (reason === 'net::ERR_ABORTED' && request.url().endsWith('/.previewd/status')) return
    problems.push(`request: ${request.url()} ${reason}`)
  })
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`response: ${response.url()} ${response.status()}`)
  })
  return problems
}

function screenshotPath(name: string): string {
  const folder = join(tmpdir(), 'previewd-screenshots')
  mkdirSync(folder, { recursive: true })
  return join(folder, `${name}.png`)
}
