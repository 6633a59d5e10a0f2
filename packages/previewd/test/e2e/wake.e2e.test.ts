import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, type OpenedPage, openPage, untilSession } from './browser.ts'
import type { Client } from './client.ts'
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
window.loads = (window.loads ?? 0) + 1
show()
import.meta.hot?.accept('./show.js', (next) => next.show())
`
/** One at a time, so that a session which is watched keeps another one waiting for as long as a test wants. */
const ONE_SESSION = { PREVIEWD_MAX_SESSIONS: '1', PREVIEWD_BUILD_QUIET_MS: '600000' }
const OF_SOMEBODY_ELSE = { 'x-forwarded-for': '192.0.2.1' }

const appOf = (text: string) => ({ ...sampleProject(''), 'src/main.js': MAIN, 'src/show.js': code(text) })

async function untilState(client: Client, project: string, state: string): Promise<void> {
  await expect.poll(async () => (await client.status(project)).session.state).toBe(state)
}

test('a project that wakes shows its build, then its last page, before its dev server runs, and goes on from there', async () => {
  await using daemon = await startDaemonUnderTest(ONE_SESSION)
  const { client } = daemon
  await client.push('sleeper', appOf('first'), { wait: 'live' })
  {
    await using opened = await openPage(browser, client.previewUrl('sleeper'), { text: 'first' })
    await untilSession(opened)
    // The modules of the open page have the time of this update in their names from then on.
    const edited = await client.push('sleeper', { 'src/show.js': code('second') }, { wait: 'painted' })
    expect(edited.status.painted).toMatchObject({ revision: 2, errors: 0 })
    expect(opened.problems).toEqual([])
  }
  await client.session('sleeper', 'DELETE')
  await client.push('neighbour', appOf('neighbour'), { wait: 'live' })
  await using neighbour = await openPage(browser, client.previewUrl('neighbour'), { text: 'neighbour' })
  await expect.poll(async () => (await client.status('neighbour')).session.viewers).toBe(1)

  await client.push('sleeper', {}, { wait: 'built' })
  await client.session('sleeper', 'PUT')
  await using woken = await openPage(browser, client.previewUrl('sleeper'), { text: 'second' })
  expect(await woken.page.content()).toContain('/assets/')
  await woken.page.reload()
  expect(await woken.page.textContent('#root')).toBe('second')
  expect(await woken.page.content()).toContain('/@vite/client')
  expect((await client.status('sleeper')).session.state).toBe('starting')
  // What the page will import is named to the browser ahead, and nothing of that stays in the page.
  const sent = await client.preview('sleeper', '/?previewd_live=1', { accept: 'text/html' })
  expect(sent.text).toContain('<link data-previewd rel="modulepreload" href="/src/show.js">')
  expect(await woken.page.evaluate('document.querySelectorAll("[data-previewd]").length')).toBe(0)
  expect((await client.preview('sleeper', '/', OF_SOMEBODY_ELSE)).text).toContain('/assets/')
  expect((await client.preview('sleeper', '/src/show.js', OF_SOMEBODY_ELSE)).text).not.toContain('second')

  await neighbour.page.close()
  await client.session('neighbour', 'DELETE')
  await untilState(client, 'sleeper', 'live')
  // Before the dev server knows the modules of the page, an edit reloads it.
  const first = await client.push('sleeper', { 'src/show.js': code('third') }, { wait: 'painted' })
  expect(first.status.painted).toMatchObject({ revision: 3, errors: 0 })
  expect(await woken.page.textContent('#root')).toBe('third')
  await untilSession(woken)
  await woken.page.evaluate('window.typed = "kept"')
  const second = await client.push('sleeper', { 'src/show.js': code('fourth') }, { wait: 'painted' })
  expect(second.status.painted).toMatchObject({ revision: 4, errors: 0 })
  expect(await woken.page.textContent('#root')).toBe('fourth')
  expect(await woken.page.evaluate('window.typed')).toBe('kept')
  expect(woken.problems).toEqual([])
})

test('of a page whose files were changed while it slept, only what was made of those is waited for', async () => {
  await using daemon = await startDaemonUnderTest(ONE_SESSION)
  const { client } = daemon
  await client.push('changed', appOf('first'), { wait: 'built' })
  await client.push('changed', {}, { wait: 'live' })
  {
    await using opened = await openPage(browser, client.previewUrl('changed'), { text: 'first' })
    await untilSession(opened)
    await client.push('changed', { 'src/show.js': code('second') }, { wait: 'painted' })
    expect(opened.problems).toEqual([])
  }
  await client.session('changed', 'DELETE')
  await client.push('neighbour', appOf('neighbour'), { wait: 'live' })
  await using neighbour = await openPage(browser, client.previewUrl('neighbour'), { text: 'neighbour' })
  await expect.poll(async () => (await client.status('neighbour')).session.viewers).toBe(1)
  await client.push('changed', { 'src/show.js': code('third') }, { wait: 'applied' })
  await client.session('changed', 'PUT')

  // Whatever is published by then: a page does not leave it for another build while a session starts.
  await using woken = await openPage(browser, client.previewUrl('changed'), { text: /first|second|third/ })
  const changed = client.preview('changed', '/src/show.js')
  expect((await client.preview('changed', '/src/main.js')).text).toContain('/src/show.js')
  expect((await client.status('changed')).session.state).toBe('starting')
  await neighbour.page.close()
  await client.session('neighbour', 'DELETE')
  expect((await changed).text).toContain('third')
  await untilSession(woken)
  await woken.page.getByText('third').waitFor()
  const edited = await client.push('changed', { 'src/show.js': code('fourth') }, { wait: 'painted' })
  expect(edited.status.painted).toMatchObject({ revision: 4, errors: 0 })
  expect(await woken.page.textContent('#root')).toBe('fourth')
  expect(woken.problems).toEqual([])
})

test('a project whose files were changed while it slept wakes with those', async () => {
  await using daemon = await startDaemonUnderTest(ONE_SESSION)
  const { client } = daemon
  await client.push('changed', appOf('first'), { wait: 'live' })
  {
    await using opened = await openPage(browser, client.previewUrl('changed'), { text: 'first' })
    expect(opened.problems).toEqual([])
  }
  await client.session('changed', 'DELETE')
  const pushed = await client.push('changed', { 'src/show.js': code('second') }, { wait: 'live' })
  expect(pushed.status.session).toMatchObject({ state: 'live', revision: 2 })
  await using woken = await openPage(browser, client.previewUrl('changed'), { text: 'second' })
  expect(woken.problems).toEqual([])
})

test('a stylesheet that Tailwind 4 makes of other files follows them, live and after an edit while all slept', async () => {
  const dressed = (name: string) => `import './style.css'
const root = document.querySelector('#root')
root.className = root.textContent = '${name}'
import.meta.hot?.accept()
`
  const app = {
    ...sampleProject(''),
    'package.json': JSON.stringify({
      type: 'module',
      scripts: { build: 'vite build' },
      devDependencies: { vite: '^7.0.0', tailwindcss: '^4.0.0', '@tailwindcss/vite': '^4.0.0' },
    }),
    'vite.config.js': "import tailwind from '@tailwindcss/vite'\nexport default { plugins: [tailwind()] }\n",
    'src/style.css': '@import "tailwindcss";\n',
    'src/main.js': dressed('pl-[3px]'),
  }
  await using daemon = await startDaemonUnderTest(ONE_SESSION)
  const { client } = daemon
  const paddingOf = ({ page }: OpenedPage) =>
    page.evaluate("getComputedStyle(document.querySelector('#root')).paddingLeft")
  await client.push('dressed', app, { wait: 'live' })
  {
    await using opened = await openPage(browser, client.previewUrl('dressed'), { text: 'pl-[3px]' })
    await untilSession(opened)
    await client.push('dressed', { 'src/main.js': dressed('pl-[7px]') }, { wait: 'painted' })
    await expect.poll(() => paddingOf(opened)).toBe('7px')
    expect(opened.problems).toEqual([])
  }
  await client.session('dressed', 'DELETE')
  await client.push('dressed', { 'src/main.js': dressed('pl-[9px]') }, { wait: 'applied' })
  await client.push('dressed', {}, { wait: 'live' })
  await using woken = await openPage(browser, client.previewUrl('dressed'), { text: 'pl-[9px]' })
  await untilSession(woken)
  await expect.poll(() => paddingOf(woken)).toBe('9px')
  expect(woken.problems).toEqual([])
})

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
  await client.push('slow', { ...appOf('first'), ...SLOW }, { wait: 'live' })
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
