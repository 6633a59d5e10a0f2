import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, openPage, untilSession } from './browser.ts'
import { startDaemonUnderTest } from './daemon-under-test.ts'
import { startDevCommand } from './dev-command.ts'
import { sampleProject } from './sample-project.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

const code = (text: string) =>
  `export const show = () => { document.querySelector('#root').textContent = ${JSON.stringify(text)} }\n`
const main = (module: string) => `import { show } from '${module}'
show()
import.meta.hot?.accept('${module}', (next) => next.show())
`

async function folderWith(files: Record<string, unknown>) {
  const path = await mkdtemp(join(tmpdir(), 'previewd-dev-'))
  const write = async (name: string, content: unknown) => {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), String(content))
  }
  for (const [name, content] of Object.entries(files)) await write(name, content)
  return { path, write, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

const SLOW = { timeout: 90_000 }

test('previewd dev shows each edit of a folder in the open page and tells in the terminal what is wrong', async () => {
  await using folder = await folderWith({
    ...sampleProject(''),
    '.gitignore': 'node_modules\n*.log\n',
    'src/main.js': main('./show.js'),
    'src/show.js': code('first'),
  })
  await using dev = startDevCommand(folder.path, '--project', 'edited')
  await expect.poll(dev.url, SLOW).toContain('http://edited.localhost:')
  await expect.poll(dev.written, SLOW).toContain('live in')
  await using opened = await openPage(browser, dev.url() ?? '', { text: 'first' })
  const root = () => opened.page.textContent('#root')
  await untilSession(opened)
  await opened.page.evaluate('window.typed = "kept"')

  await folder.write('src/show.js', code('second'))
  await expect.poll(root, SLOW).toBe('second')
  expect(await opened.page.evaluate('window.typed')).toBe('kept')
  await expect.poll(dev.written, SLOW).toContain('updated in place')

  await folder.write('src/show.js', 'export const show = (\n')
  await expect.poll(dev.written, SLOW).toMatch(/error[\s\S]*src\/show\.js:\d/)
  expect(await root()).toBe('second')
  await folder.write('src/show.js', code('mended'))
  await expect.poll(root, SLOW).toBe('mended')
  await expect.poll(dev.written, SLOW).toContain('no problems left')

  await rename(join(folder.path, 'src/show.js'), join(folder.path, 'src/display.js'))
  await folder.write('src/main.js', main('./display.js'))
  await folder.write('src/display.js', code('renamed'))
  await expect.poll(root, SLOW).toBe('renamed')
  await expect.poll(dev.written, SLOW).toContain('-src/show.js')

  await folder.write('noise.log', 'left out')
  await rm(join(folder.path, 'src/display.js'))
  await expect.poll(dev.written, SLOW).toContain('-src/display.js')
  await expect.poll(dev.written, SLOW).toMatch(/-src\/display\.js[\s\S]*error/)
  expect(dev.written()).not.toContain('noise.log')
  expect(await dev.interrupt()).toBe(0)
})

test('previewd dev shows plain pages, without a dev server, and their edits', async () => {
  await using folder = await folderWith({ 'index.html': '<h1>one</h1>' })
  await using dev = startDevCommand(folder.path, '--project', 'plain')
  await expect.poll(dev.written, SLOW).toContain('built in')
  await using opened = await openPage(browser, dev.url() ?? '', { text: 'one' })
  await folder.write('index.html', '<h1>two</h1>')
  await expect.poll(() => opened.page.textContent('h1'), SLOW).toBe('two')
  await rm(folder.path, { recursive: true })
  await expect.poll(dev.written, SLOW).toContain('SOURCE_NOT_FOUND')
  expect(await opened.page.textContent('h1')).toBe('two')
  expect(await dev.interrupt()).toBe(0)
})

test('previewd dev follows a folder on a server that runs, and ends only the session', async () => {
  await using folder = await folderWith({ ...sampleProject('on a server') })
  await using daemon = await startDaemonUnderTest({ PREVIEWD_LOCAL_ROOTS: folder.path })
  const { client } = daemon
  await client.push('shared', { 'index.html': 'of somebody else' }, { wait: 'applied' })
  await using dev = startDevCommand(folder.path, '--url', client.url, '--project', 'lent')
  await expect.poll(dev.written, SLOW).toContain('live in')
  await folder.write('src/main.js', "document.querySelector('#root').textContent = 'edited'\n")
  const shown = async () => (await client.preview('lent', '/src/main.js')).text
  await expect.poll(shown, SLOW).toContain('edited')
  // A file is empty for a moment while it is written: that may have been a revision, too.
  const { revision } = await client.status('lent')
  expect(await dev.interrupt()).toBe(0)
  expect(await client.status('lent')).toMatchObject({ revision, session: { state: 'off' } })
  expect((await client.status('shared')).revision).toBe(1)
})

test('previewd dev says why a server may not read the folder', async () => {
  await using folder = await folderWith({ 'index.html': '' })
  await using daemon = await startDaemonUnderTest()
  await using dev = startDevCommand(folder.path, '--url', daemon.client.url)
  await expect.poll(dev.written, SLOW).toContain('PREVIEWD_LOCAL_ROOTS is empty')
})
