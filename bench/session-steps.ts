import type { Browser, Page } from 'playwright-core'
import type { Client } from '../packages/previewd/test/e2e/client.ts'
import { timed } from './row.ts'
import type { Subject } from './subject.ts'

const START_TIMEOUT_MS = 60_000
/** Some servers that load slowly lose the first question: nitro's leaves it without an answer. */
const ASK_AGAIN_MS = 20_000
const MAX_ASKED = 4

/** A page of the session is what it keeps when it goes to sleep. */
export async function seeOnce(
  { client, browser }: { client: Client; browser: Browser },
  subject: Subject,
): Promise<void> {
  const project = `warm-${subject.name}`
  await client.push(project, subject.files, { wait: 'built' })
  await startSession(client, project)
  const page = await browser.newPage()
  await showLive(page, client.previewUrl(project), subject.text)
  await page.close()
  await stopSession(client, project)
}

export async function show(page: Page, url: string, text: RegExp): Promise<void> {
  await open(page, url)
  await page.waitForFunction(`document.body !== null && ${text}.test(document.body.innerText)`, undefined, {
    polling: 'raf',
    timeout: START_TIMEOUT_MS,
  })
}

async function open(page: Page, url: string): Promise<void> {
  for (let asked = 1; ; asked++) {
    try {
      await page.goto(url, { waitUntil: 'commit', timeout: ASK_AGAIN_MS })
      return
    } catch (error) {
      if (asked === MAX_ASKED) throw error
    }
  }
}

export async function putSession(
  client: Client,
  project: string,
): Promise<{ state: string; reason?: string }> {
  const answer = await fetch(`${client.url}/v1/projects/${project}/session`, { method: 'PUT' })
  return (await answer.json()) as { state: string; reason?: string }
}

export async function startSession(client: Client, project: string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (performance.now() < deadline) {
    const { state, reason } = await putSession(client, project)
    if (state === 'live') return
    if (state === 'error' || state === 'off') throw new Error(`the session did not start: ${reason}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error('the session did not start in time')
}

export async function stopSession(client: Client, project: string): Promise<void> {
  await fetch(`${client.url}/v1/projects/${project}/session`, { method: 'DELETE' })
}

/** Milliseconds from the start of the change until the page shows the text. */
export async function untilSeen(
  page: Page,
  text: string,
  change: (text: string) => Promise<void>,
): Promise<number> {
  const isSeen = `document.body.innerText.includes(${JSON.stringify(text)})`
  const seen = page.waitForFunction(isSeen, undefined, { polling: 'raf' })
  return await timed(() => Promise.all([change(text), seen]))
}

/** Not what is published, which stands there until the session has a page. */
export async function showLive(page: Page, url: string, text: RegExp): Promise<void> {
  await page.goto(url, { waitUntil: 'commit' })
  await untilLive(page, text)
}

export async function untilLive(page: Page, text: RegExp): Promise<void> {
  await page.waitForFunction(
    `document.querySelector('script[src*="@vite/client"]') !== null && document.body !== null && ${text}.test(document.body.innerText)`,
    undefined,
    { polling: 'raf' },
  )
}
