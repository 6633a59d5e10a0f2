import type { Browser, BrowserContext } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { SessionState } from '../../src/model/session.ts'
import { launchBrowser } from '../e2e/browser.ts'
import { HandWrittenUpstream } from './hand-written-upstream.ts'
import { PreviewServer } from './preview-server.ts'

let browser: Browser
let server: PreviewServer
let context: BrowserContext

beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())
beforeEach(async () => {
  server = await PreviewServer.start()
  context = await browser.newContext()
})
afterEach(async () => {
  await context.close()
  await server.stop()
})

const page = (body: string): string =>
  `<!doctype html><html><head><title>t</title></head><body>${body}</body></html>`

describe('two projects in one browser', () => {
  test('share no storage, no cookies and no way to read each other', async () => {
    await server.addSite('one', { 'index.html': page('one') })
    await server.addSite('two', { 'index.html': page('two') })
    const tab = await context.newPage()
    await tab.goto(server.originOf('one'))
    await tab.evaluate('localStorage.setItem("k", "one"); document.cookie = "c=one; path=/"')
    // A cookie for all siblings would reach the other project.
    await tab.evaluate('document.cookie = "wide=one; path=/; domain=localhost"')
    await tab.goto(server.originOf('two'))
    expect(await tab.evaluate('[localStorage.getItem("k"), document.cookie]')).toEqual([null, ''])
    const stolen = tab.evaluate((url) => fetch(url).then((answer) => answer.text()), server.originOf('one'))
    await expect(stolen).rejects.toThrow('Failed to fetch')
  })

  test('keep their answers apart in one cache: the same path is another address', async () => {
    const asset = 'assets/index-AbCd1234.js'
    await server.addSite('one', { 'index.html': page('one'), [asset]: 'window.owner = "one"' })
    await server.addSite('two', { 'index.html': page('two'), [asset]: 'window.owner = "two"' })
    const tab = await context.newPage()
    for (const owner of ['one', 'two', 'one']) {
      await tab.goto(server.originOf(owner))
      await tab.addScriptTag({ url: `/${asset}` })
      expect(await tab.evaluate('window.owner')).toBe(owner)
    }
  })
})

describe('the page that shows progress', () => {
  test('follows the build and turns into the preview by itself', async () => {
    server.addProject('demo')
    server.setStatus('demo', { state: 'queued' })
    const tab = await context.newPage()
    await tab.goto(`${server.originOf('demo')}/some/route?x=1`)
    await tab.getByRole('heading', { name: 'Waiting for a free builder' }).waitFor()
    server.setStatus('demo', { state: 'installing', progress: { phase: 'fetching', done: 132, total: 410 } })
    await tab.getByText('fetching 132 of 410 packages').waitFor()
    expect(await tab.locator('[role=status]').textContent()).toBe('Installing dependencies')
    server.setStatus('demo', { state: 'building' })
    await tab.getByRole('heading', { name: 'Building the preview' }).waitFor()
    await server.addBuild('demo', 'build0000001', { 'index.html': page('<h1>The app itself</h1>') })
    server.statuses.delete('demo')
    server.publish('demo', 'build0000001')
    await tab.getByRole('heading', { name: 'The app itself' }).waitFor()
    expect(tab.url()).toBe(`${server.originOf('demo')}/some/route?x=1`)
    expect(server.logged).toEqual([])
  })

  test('shows an error of hostile text as text, to editors', async () => {
    server.editor = true
    server.addProject('demo')
    const attack = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
    server.setStatus('demo', {
      state: 'error',
      diagnostics: [
        {
          origin: 'build',
          severity: 'error',
          message: `\u001b[31m${attack}\u001b[39m`,
          file: `src/${attack}.tsx`,
          line: 3,
          column: 10,
          frame: `  2 | const a\n> 3 | ${attack}\n    |   ^`,
          hint: attack,
          count: 1,
          revision: 1,
        },
      ],
    })
    const tab = await context.newPage()
    await tab.goto(server.originOf('demo'))
    server.tell('demo')
    await tab.getByRole('heading', { name: 'The build failed' }).waitFor()
    expect(await tab.locator('.what').textContent()).toBe(attack)
    expect(await tab.locator('.hit').first().textContent()).toBe(`> 3 | ${attack}`)
    expect(await tab.evaluate('window.hacked')).toBeUndefined()
    expect(await tab.locator('main img, main script').count()).toBe(0)
  })

  test('goes on where a dev server takes its question and never answers', async () => {
    await using upstream = await HandWrittenUpstream.start()
    upstream.answer = () => undefined
    let state: SessionState = 'starting'
    await server.stop()
    server = await PreviewServer.start({
      pageTimeoutMs: 600_000,
      sessions: {
        address: () =>
          state === 'live' ? { socket: upstream.socket, revision: 1, generation: '' } : undefined,
        untilLive: async () => undefined,
        recorded: async () => undefined,
        view: () => ({ state, viewers: 0, restarts: 0 }),
      },
    })
    server.editor = true
    server.addProject('demo')
    const tab = await context.newPage()
    // A page cannot be asked anything while a navigation of it is under way, so it tells.
    const shown: string[] = []
    tab.on('console', (message) => shown.push(message.text()))
    await tab.addInitScript(`const tell = () => console.log(document.title)
      new MutationObserver(tell).observe(document, { subtree: true, childList: true, characterData: true })`)
    await tab.goto(server.originOf('demo'))
    await tab.getByRole('heading', { name: 'Waiting for files' }).waitFor()
    state = 'live'
    server.tell('demo')
    await expect.poll(() => upstream.seen.length).toBe(1)
    state = 'off'
    server.setStatus('demo', { state: 'building' })
    await expect.poll(() => shown, { timeout: 30_000 }).toContain('Building the preview · demo')
    server.statuses.delete('demo')
    await server.addBuild('demo', 'build0000001', { 'index.html': page('<h1>The app itself</h1>') })
    server.publish('demo', 'build0000001')
    await tab.getByRole('heading', { name: 'The app itself' }).waitFor()
  })

  test('turns into the page of a missing project when the project is deleted', async () => {
    server.addProject('demo')
    const tab = await context.newPage()
    await tab.goto(server.originOf('demo'))
    await tab.getByRole('heading', { name: 'Waiting for files' }).waitFor()
    server.projects.delete('demo')
    server.tell('demo')
    await tab.getByRole('heading', { name: 'No preview here' }).waitFor()
  })
})

describe('a private project', () => {
  beforeEach(async () => {
    await server.addSite(
      'secret',
      {
        'index.html': page('<h1>secret app</h1><script src="/app.js"></script>'),
        'app.js': 'window.loaded = true',
      },
      { visibility: 'private' },
    )
    server.tokens.set('good-token', 'secret:viewer')
  })

  test('opens with a grant, which becomes a cookie and leaves the address', async () => {
    const tab = await context.newPage()
    await tab.goto(server.originOf('secret'))
    await tab.getByText('This preview is private').waitFor()
    await tab.goto(`${server.originOf('secret')}/?a=1&previewd_grant=good-token`)
    await tab.getByRole('heading', { name: 'secret app' }).waitFor()
    expect(tab.url()).toBe(`${server.originOf('secret')}/?a=1`)
    expect(await tab.evaluate('window.loaded')).toBe(true)
    expect(await tab.evaluate('document.cookie')).toBe('')
  })

  test('opens inside a frame of another site, too', async () => {
    await server.addSite('platform', { 'index.html': page('platform') })
    const tab = await context.newPage()
    await tab.goto(`http://127.0.0.1:${server.port}/`)
    const src = `${server.originOf('secret')}/?previewd_grant=good-token`
    await tab.setContent(`<iframe src="${src}"></iframe>`)
    const frame = tab.frameLocator('iframe')
    await frame.getByRole('heading', { name: 'secret app' }).waitFor()
    const inner = tab.frames()[1]
    await inner?.evaluate('location.reload()')
    await frame.getByRole('heading', { name: 'secret app' }).waitFor()
  })

  test('is closed again when the grant is over', async () => {
    const tab = await context.newPage()
    await tab.goto(`${server.originOf('secret')}/?previewd_grant=good-token`)
    await tab.getByRole('heading', { name: 'secret app' }).waitFor()
    server.tokens.clear()
    await tab.reload()
    await tab.getByText('This preview is private').waitFor()
  })
})

test('no service worker is installed that would pin a build', async () => {
  await server.addSite('demo', { 'index.html': page('app'), 'sw.js': 'onfetch = () => undefined' })
  const tab = await context.newPage()
  await tab.goto(server.originOf('demo'))
  const registering = tab.evaluate('navigator.serviceWorker.register("/sw.js").then(String)')
  await expect(registering).rejects.toThrow('403')
})

test('a page opened before a publish still finds its lazy chunk', async () => {
  const app = (chunk: string): Record<string, string> => ({
    'index.html': page(
      '<button>load</button><p></p><script type="module" src="/assets/index-AAAA1111.js"></script>',
    ),
    'assets/index-AAAA1111.js': `document.querySelector('button').onclick = async () => {
      const { text } = await import('/assets/lazy-${chunk}.js')
      document.querySelector('p').textContent = text
    }`,
    [`assets/lazy-${chunk}.js`]: `export const text = 'chunk ${chunk}'`,
  })
  server.addProject('demo')
  await server.addBuild('demo', 'build0000001', app('OldOld11'))
  server.publish('demo', 'build0000001')
  const tab = await context.newPage()
  await tab.goto(server.originOf('demo'))
  await server.addBuild('demo', 'build0000002', app('NewNew22'))
  server.publish('demo', 'build0000002')
  await tab.getByRole('button').click()
  await tab.getByText('chunk OldOld11').waitFor()
})
