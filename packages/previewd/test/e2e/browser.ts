import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium, type Frame, type Page, type WebSocket } from 'playwright-core'
import { expect } from 'vitest'

/** For whatever a page waits for: the first start of a session, on a machine that has other things to do. */
const PATIENCE_MS = 90_000

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

/** A page in a context of its own, which goes with it. */
export async function newPage(browser: Browser): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  page.setDefaultTimeout(PATIENCE_MS)
  return page
}

export interface OpenedPage extends AsyncDisposable {
  page: Page
  /** Console errors, thrown errors, failed requests and answers from 400 up, in order. */
  problems: string[]
  /** Whether a dev server has greeted the page that is loaded now: what is edited from then on is told to it. */
  hearsUpdates: () => boolean
}

/** Opens an address in a context of its own and waits until the text is on the page. */
export async function openPage(
  browser: Browser,
  url: string,
  options: { text?: string | RegExp; name?: string } = {},
): Promise<OpenedPage> {
  const page = await newPage(browser)
  const problems = watchProblems(page)
  const hearsUpdates = watchUpdates(page)
  await page.goto(url)
  if (options.text !== undefined) await page.getByText(options.text).first().waitFor()
  if (options.name !== undefined) await page.screenshot({ path: screenshotPath(options.name) })
  return { page, problems, hearsUpdates, [Symbol.asyncDispose]: () => page.close() }
}

/**
 * A page of a session with all of its modules, whose update client runs. An update that comes while modules are still on
 * their way has the page loaded anew, and what it held is gone; the client script looks for 300 ms whether more come.
 */
const IS_WHOLE_SESSION = `
  document.readyState === 'complete' && document.querySelector('script[src*="/@vite/client"]') !== null &&
  performance.getEntriesByType('resource').every(({ responseEnd }) => performance.now() - responseEnd > 600) &&
  import('/@previewd/hot').then(() => true)`

/**
 * Resolves when the page, or a frame in it, is one of the session, and takes edits in place from then on: an editor's may
 * be the published build first.
 */
export async function untilSession({ page, hearsUpdates }: OpenedPage, frame?: Frame): Promise<void> {
  const isSession = async () => hearsUpdates() && (await (frame ?? page).evaluate(IS_WHOLE_SESSION))
  await expect.poll(isSession, { timeout: PATIENCE_MS }).toBe(true)
}

function watchProblems(page: Page): string[] {
  const problems: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`console: ${message.text()} ${message.location().url}`)
  })
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`))
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? 'failed'
    // The page took it back itself: it left, or was loaded anew, whatever it was asking.
    if (reason !== 'net::ERR_ABORTED') problems.push(`request: ${request.url()} ${reason}`)
  })
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`response: ${response.url()} ${response.status()}`)
  })
  return problems
}

function watchUpdates(page: Page): () => boolean {
  const greeted = new Set<WebSocket>()
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => {
      if (String(payload).includes('"type":"connected"')) greeted.add(socket)
    })
    socket.on('close', () => greeted.delete(socket))
  })
  // Nothing tells of the sockets of a page that is left.
  page.on('request', (request) => {
    if (request.isNavigationRequest()) greeted.clear()
  })
  return () => greeted.size > 0
}

function screenshotPath(name: string): string {
  const folder = join(tmpdir(), 'previewd-screenshots')
  mkdirSync(folder, { recursive: true })
  return join(folder, `${name}.png`)
}
