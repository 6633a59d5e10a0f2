import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, openPage } from './browser.ts'
import { startDaemonUnderTest } from './daemon-under-test.ts'
import { fixtureFiles } from './project-files.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

test('ai builder', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_LOG_LEVEL: 'debug' })
  const { client } = daemon
  const files = fixtureFiles('ai-builder')
  const t0 = performance.now()
  const say = (...x: unknown[]) => console.log(Math.round(performance.now() - t0), ...x)
  const started = await client.push('ai', files, { wait: 'live' })
  say(
    'live',
    started.code,
    JSON.stringify(started.status?.session),
    JSON.stringify(started.status?.diagnostics)?.slice(0, 500),
  )
  await using opened = await openPage(browser, client.previewUrl('ai'), { text: 'Harbour Orders' })
  say('open', opened.problems)
  await expect.poll(async () => (await client.status('ai')).painted, { timeout: 20_000 }).toBeTruthy()
  say('painted', JSON.stringify((await client.status('ai')).painted))
  await opened.page.evaluate('window.mark = 1')
  const index = String(files['src/pages/Index.tsx'])
  for (let at = 0; at < 5; at++) {
    const before = performance.now()
    const edit = await client.push(
      'ai',
      { 'src/pages/Index.tsx': index.replace('Harbour Orders', `Harbour ${at}`) },
      { wait: 'painted' },
    )
    say(
      'edit',
      Math.round(performance.now() - before),
      JSON.stringify(edit.status?.painted),
      await opened.page.getByText(`Harbour ${at}`).count(),
    )
  }
  const broken = await client.push('ai', { 'src/pages/Index.tsx': `${index} const = 1` }, { wait: 'painted' })
  say(
    'broken',
    JSON.stringify(broken.status?.painted),
    JSON.stringify(broken.status?.diagnostics)?.slice(0, 300),
  )
  const healed = await client.push('ai', { 'src/pages/Index.tsx': index }, { wait: 'painted' })
  say(
    'healed',
    JSON.stringify(healed.status?.painted),
    JSON.stringify(healed.status?.diagnostics)?.slice(0, 300),
  )
  say('mark', await opened.page.evaluate('window.mark'), opened.problems)
  const throws = await client.push(
    'ai',
    { 'src/pages/Index.tsx': index.replace('return (', 'throw new Error("render"); return (') },
    { wait: 'painted' },
  )
  say('throws', JSON.stringify(throws.status?.painted))
  const back = await client.push('ai', { 'src/pages/Index.tsx': index }, { wait: 'painted' })
  say('back', JSON.stringify(back.status?.painted), await opened.page.getByText('Harbour Orders').count())
})
