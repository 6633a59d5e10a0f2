import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, openPage, untilSession } from './browser.ts'
import { startDaemonUnderTest } from './daemon-under-test.ts'
import { sampleProject } from './sample-project.ts'
import { followLog } from './session-log.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

const code = (text: string) =>
  `export const show = () => { document.querySelector('#root').textContent = ${JSON.stringify(text)} }\n`
const MAIN = `import { show } from './show.js'
show()
import.meta.hot?.accept('./show.js', (next) => next.show())
`
/** A dev server that says that it starts, and takes its time for it. */
const SLOW = {
  'vite.config.js': `export default async ({ command }) => {
  if (command !== 'serve') return {}
  console.log('starts')
  await new Promise((resolve) => setTimeout(resolve, 5000))
  return {}
}
`,
}

test('a page that was shown while its dev server started gets an edit that came meanwhile', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  const app = { ...sampleProject(''), ...SLOW, 'src/main.js': MAIN, 'src/show.js': code('first') }
  await client.push('slow', app, { wait: 'live' })
  {
    await using opened = await openPage(browser, client.previewUrl('slow'), { text: 'first' })
    await untilSession(opened)
    expect(opened.problems).toEqual([])
  }
  await client.session('slow', 'DELETE')
  using log = followLog(client, 'slow')
  await client.session('slow', 'PUT')
  const url = `${client.previewUrl('slow')}?previewd_live=1`
  await using woken = await openPage(browser, url, { text: 'first' })
  // It has the files of before by then.
  await expect.poll(() => log.lines.filter((line) => line === 'starts')).toHaveLength(2)
  await client.push('slow', { 'src/show.js': code('second') }, { wait: 'live' })
  await expect.poll(async () => (await client.status('slow')).painted?.revision).toBe(2)
  expect(await woken.page.textContent('#root')).toBe('second')
})

test('a page does not get two copies of a package when an edit while it slept brings in another one', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  const app = {
    ...sampleProject(''),
    'package.json': JSON.stringify({
      type: 'module',
      scripts: { build: 'vite build' },
      dependencies: { react: '^19.0.0', 'react-dom': '^19.0.0', zustand: '^5.0.0' },
      devDependencies: { vite: '^8.3.0' },
    }),
    'src/main.js': `import { createElement, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { text } from './text.js'
const Root = () => (useState(0), text())
createRoot(document.querySelector('#root')).render(createElement(Root))
`,
    'src/text.js': "export const text = () => 'first'\n",
  }
  await client.push('packages', app, { wait: 'live' })
  {
    await using opened = await openPage(browser, client.previewUrl('packages'), { text: 'first' })
    await untilSession(opened)
    expect(opened.problems).toEqual([])
  }
  await client.session('packages', 'DELETE')
  const edited = `import { create } from 'zustand'
const useText = create(() => ({ text: 'second' }))
export const text = () => useText(({ text }) => text)
`
  await client.push('packages', { 'src/text.js': edited }, { wait: 'applied' })
  await client.session('packages', 'PUT')
  await using woken = await openPage(browser, client.previewUrl('packages'), { text: 'second' })
  await untilSession(woken)
  await woken.page.reload()
  await woken.page.getByText('second').waitFor()
})
