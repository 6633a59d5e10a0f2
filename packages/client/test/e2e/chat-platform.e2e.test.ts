import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, type OpenedPage, openPage, untilSession } from '../../../previewd/test/e2e/browser.ts'
import { type DaemonUnderTest, startDaemonUnderTest } from '../../../previewd/test/e2e/daemon-under-test.ts'
import { explained } from '../../../previewd/test/e2e/explained.ts'
import { type Consumer, installPacked } from '../packed.ts'

const API_KEY = 'the-key-of-the-platform'
const EXAMPLE = join(import.meta.dirname, '../../../../examples/chat-platform')

let daemon: DaemonUnderTest
let consumer: Consumer
beforeAll(async () => {
  daemon = await startDaemonUnderTest({ PREVIEWD_API_KEY: API_KEY })
  consumer = installPacked()
  cpSync(EXAMPLE, consumer.folder, { recursive: true })
})
afterAll(async () => {
  consumer[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
})

test('the example platform: an app grows in the preview, is edited, broken and mended', async () => {
  const platform = spawn(process.execPath, ['server.ts'], {
    cwd: consumer.folder,
    env: {
      ...process.env,
      PREVIEWD_URL: daemon.client.url,
      PREVIEWD_API_KEY: API_KEY,
      PORT: '0',
      TOKEN_MS: '15',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const words = keepWords(platform)
  const browser = await launchBrowser()
  try {
    await using opened = await openPage(browser, await addressOf(platform, words), { text: 'Send' })
    const { page, problems } = opened
    const of = { page, problems, url: daemon.client.url, project: 'chat-platform', apiKey: API_KEY }
    await explained({ ...of, more: () => ({ platform: words() }) }, () => converse(opened))
  } finally {
    await browser.close()
    platform.kill()
  }
})

async function converse(opened: OpenedPage): Promise<void> {
  const { page } = opened
  const preview = page.frameLocator('iframe')
  const send = page.getByRole('button', { name: 'Send' })

  await send.click()
  await preview.getByText('Weekend hikes').waitFor()
  await preview.getByText('Lake Mirren').waitFor()
  await page.getByText('Four hikes').waitFor()
  await page.locator('button:enabled').waitFor()

  await send.click()
  await page.locator('button:enabled').waitFor()
  // While its files still come, the page may be loaded anew for the next one, with nothing chosen.
  await untilSession(opened, page.frames()[1])
  await preview.getByRole('button', { name: 'easy' }).click()
  await expect.poll(() => preview.getByRole('article').count()).toBe(2)

  await send.click()
  await page.getByText('"./Wether" does not exist').waitFor()
  await page.getByText('Now each hike shows its weather').waitFor()
  await preview.getByText('sunny, 18°').first().waitFor()
  await page.locator('button:enabled').waitFor()
  // The page was never loaded anew: what the person chose in it is still chosen.
  expect(await preview.getByRole('article').count()).toBe(2)
}

/** What the platform complains of. */
function keepWords({ stderr }: ChildProcess): () => string {
  let said = ''
  stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  return () => said
}

async function addressOf({ stdout, stderr }: ChildProcess, words: () => string): Promise<string> {
  if (!stdout || !stderr) throw new Error('The platform has no output')
  const [line = ''] = await Promise.race([
    once(createInterface({ input: stdout }), 'line'),
    once(stderr, 'end'),
  ])
  const address = /http:\S+/.exec(String(line))?.[0]
  if (!address) throw new Error(`The platform did not start: ${words()}`)
  return address
}
