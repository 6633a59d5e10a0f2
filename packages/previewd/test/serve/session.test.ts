import { on, once } from 'node:events'
import type { Browser, BrowserContext, Page, WebSocketRoute } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { launchBrowser } from '../e2e/browser.ts'
import { DevServers, DevSession, PROJECT } from './dev-session.ts'
import { TlsProxy } from './tls-proxy.ts'

const APP = {
  'index.html': `<!doctype html><html><head><title>t</title></head><body>
    <h1></h1><p id="count"></p><script type="module" src="/main.js"></script></body></html>`,
  'main.js': `import { text } from './text.js'
    const data = import.meta.hot.data
    data.count ??= 0
    document.querySelector('#count').textContent = 'run ' + ++data.count
    document.querySelector('h1').textContent = text
    import.meta.hot.accept()`,
  'text.js': `export const text = 'first text'`,
}

const TYPED = {
  'index.html': APP['index.html'],
  'main.js': APP['main.js'].replace('./text.js', './text.ts'),
  'text.ts': APP['text.js'],
}

let servers: DevServers
let browser: Browser
let context: BrowserContext
beforeAll(async () => {
  servers = await DevServers.open()
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser.close()
  await servers[Symbol.asyncDispose]()
})
beforeEach(async () => {
  context = await browser.newContext()
})
afterEach(() => context.close())

/** Opens the app, and waits until edits reach the page. */
async function openLive(
  session: DevSession,
  url = `${session.origin}/`,
  browserContext = context,
): Promise<Page> {
  const page = await browserContext.newPage()
  const connected = Promise.withResolvers<void>()
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => {
      if (String(payload).includes('"connected"')) connected.resolve()
    })
  })
  await page.goto(url)
  await connected.promise
  await session.painted(1)
  return page
}

async function openApp(session: DevSession, path = '/'): Promise<Page> {
  const page = await context.newPage()
  await page.goto(session.origin + path)
  return page
}

describe('an editor', () => {
  test('is told of an error where the server says with a page that it could not render', async () => {
    await using session = await DevSession.start(servers, {
      ...APP,
      'vite.config.js': `const page = '<!doctype html><html><head></head><body>Internal Error</body></html>'
        const fail = (req, res, next) =>
          req.url === '/fails' ? res.writeHead(500, { 'content-type': 'text/html' }).end(page) : next()
        export default { plugins: [{ name: 'fails', configureServer: (server) => void server.middlewares.use(fail) }] }`,
    })
    await openApp(session, '/fails')
    expect(await session.painted(1, 1)).toMatchObject({ errors: 1 })
  })

  test('sees an edit without a reload, with the state of the module kept, and the page says so', async () => {
    await using session = await DevSession.start(servers, APP)
    const page = await openLive(session)
    await page.getByText('first text').waitFor()
    expect(session.viewers.painted(PROJECT)).toMatchObject({ revision: 1, errors: 0, visible: true })
    await page.evaluate('window.mark = 1')
    await session.edit({ 'text.js': `export const text = 'second text'` })
    await page.getByText('second text').waitFor()
    expect(await page.locator('#count').textContent()).toBe('run 2')
    expect(await page.evaluate('window.mark')).toBe(1)
    expect(await session.painted(2)).toMatchObject({ errors: 0, visible: true })
    expect(session.viewers.count(PROJECT)).toBe(1)
    expect(session.preview.logged).toEqual([])
  })

  test('sees a syntax error above the app, and the app again when it is mended, without a reload', async () => {
    await using session = await DevSession.start(servers, TYPED)
    const page = await openLive(session)
    await page.getByText('first text').waitFor()
    await page.evaluate('window.mark = 1')
    await session.edit({ 'text.ts': 'export const text = = 1' })
    await page.locator('vite-error-overlay').waitFor()
    await session.painted(2, 1)
    expect(await page.locator('h1').textContent()).toBe('first text')
    await session.edit({ 'text.ts': `export const text = 'mended'` })
    await page.getByText('mended').waitFor()
    await page.locator('vite-error-overlay').waitFor({ state: 'detached' })
    expect(await page.evaluate('window.mark')).toBe(1)
    await session.painted(3)
  })

  test('with a script that no browser can read has an error counted, though nothing was compiled', async () => {
    await using session = await DevSession.start(servers, APP)
    await openLive(session)
    await session.edit({ 'text.js': 'export const text = = 1' })
    await session.painted(2, 1)
    await session.edit({ 'text.js': `export const text = 'mended'` })
    await session.painted(3)
  })

  test('whose app throws is counted with its errors, and without them after the next edit', async () => {
    const broken = APP['main.js'].replace('import.meta.hot.accept()', '')
    await using session = await DevSession.start(servers, {
      ...APP,
      'main.js': `${broken}; import.meta.hot.accept(); Promise.reject(new Error('lost')); throw new Error('thrown')`,
    })
    await openApp(session)
    await session.painted(1, 2)
    await session.edit({ 'main.js': APP['main.js'] })
    await session.painted(2)
  })

  test('has a change that the page does not use painted, too', async () => {
    await using session = await DevSession.start(servers, {
      'index.html': '<h1>plain page</h1>',
      'unused.js': '1',
    })
    const page = await openLive(session)
    await page.getByText('plain page').waitFor()
    await session.edit({ 'unused.js': '2' })
    await session.painted(2)
  })

  test('with two pages open has both of them changed; one that is closed counts no more', async () => {
    await using session = await DevSession.start(servers, APP)
    const [one, two] = [await openLive(session), await openLive(session, `${session.origin}/other?x=1`)]
    await one.getByText('first text').waitFor()
    await two.getByText('first text').waitFor()
    await session.viewing(2)
    await session.edit({ 'text.js': `export const text = 'second text'` })
    await one.getByText('second text').waitFor()
    await two.getByText('second text').waitFor()
    await two.close()
    await session.viewing(1)
  })

  test('sees edits below the base that the app sets itself', async () => {
    await using session = await DevSession.start(servers, {
      ...APP,
      'vite.config.js': `export default { base: '/below/' }`,
    })
    const page = await openLive(session, `${session.origin}/below/`)
    await page.getByText('first text').waitFor()
    await session.edit({ 'text.js': `export const text = 'second text'` })
    await page.getByText('second text').waitFor()
    await session.painted(2)
    expect(await page.evaluate(`document.querySelectorAll('script[src*=previewd]').length`)).toBe(0)
  })

  test('has its page reloaded once where that is what an edit needs, with the revision of the edit', async () => {
    await using session = await DevSession.start(servers, {
      ...APP,
      'public/note.txt': 'a',
      'vite.config.js': 'export default {}',
    })
    const page = await openLive(session)
    let loads = 0
    page.on('load', () => loads++)
    await page.evaluate('window.mark = 1')
    await session.edit({ 'public/note.txt': 'b' })
    session.set('live')
    await session.painted(2)
    expect(await page.evaluate('window.mark')).toBeUndefined()
    await expect.poll(() => loads).toBe(1)
    const config = `export default { define: { __TITLE__: '"by the new config"' } }`
    await session.edit({ 'vite.config.js': config, 'text.js': 'export const text = __TITLE__' })
    session.set('live')
    await page.getByText('by the new config').waitFor()
    await session.painted(3)
    await expect.poll(() => loads).toBe(2)
  })

  test('has the app again by itself when a dev server has taken the place of one that is gone', async () => {
    await using session = await DevSession.start(servers, APP)
    const page = await openLive(session)
    await session.replace(servers, { ...APP, 'text.js': `export const text = 'from another one'` })
    await page.getByText('from another one').waitFor()
    await session.viewing(1)
  })

  test('gets a page again whose module was on its way when it was edited', async () => {
    const slow = `export default { plugins: [{ name: 'slow', configureServer(server) {
      let release
      const released = new Promise((resolve) => (release = resolve))
      let isFirst = true
      server.middlewares.use(async (req, res, next) => {
        if (req.url === '/release') return res.end(String(release()))
        if (req.url !== '/text.js' || !isFirst) return next()
        isFirst = false
        const { code } = await server.transformRequest('/text.js')
        await released
        res.setHeader('Content-Type', 'text/javascript').end(code)
      })
    } }] }`
    await using session = await DevSession.start(servers, { ...APP, 'vite.config.js': slow })
    const page = await context.newPage()
    const connected = Promise.withResolvers<void>()
    page.on('websocket', (socket) => {
      // At once: its first word may have come by the time that a promise of the socket is heard.
      if (socket.url().includes('token=')) socket.once('framereceived', () => connected.resolve())
    })
    const asked = page.waitForRequest(/text\.js/)
    const hot = page.waitForResponse(/@previewd\/hot/)
    await page.goto(`${session.origin}/`, { waitUntil: 'commit' })
    await Promise.all([connected.promise, asked, hot])
    await page.waitForFunction(
      'performance.getEntriesByType("resource").some(({ name }) => name.endsWith("/hot"))',
    )
    await session.edit({ 'text.js': `export const text = 'second text'` })
    await page.evaluate('fetch("/release")')
    await page.getByText('second text').waitFor()
    expect(await session.painted(2)).toMatchObject({ errors: 0 })
  })

  test('gets the app by itself from a dev server that left the first question for it unanswered', async () => {
    const config = `export default { plugins: [{ name: 'silent', configureServer(server) {
      let isFirst = true
      server.middlewares.use((req, res, next) => {
        if (isFirst && req.headers.accept?.includes('text/html')) isFirst = false
        else next()
      })
    } }] }`
    const files = { ...APP, 'vite.config.js': config }
    await using session = await DevSession.start(servers, files, { pageTimeoutMs: 500 })
    const page = await openApp(session)
    await page.getByText('The dev server does not answer').waitFor()
    await page.getByText('first text').waitFor()
    await session.painted(1)
  })

  test('is brought up to date after an edit that the page could not hear of', async () => {
    await using session = await DevSession.start(servers, APP)
    const page = await openApp(session)
    let connections = 0
    await page.routeWebSocket(/token=/, (socket) => {
      const isDeaf = ++connections === 1
      socket.connectToServer().onMessage((message) => {
        if (!isDeaf || String(message).includes('"connected"')) socket.send(message)
      })
    })
    await page.reload()
    await session.painted(1)
    await session.edit({ 'text.js': `export const text = 'second text'` })
    session.set('live')
    await page.getByText('second text').waitFor()
    await session.painted(2)
  })
})

describe('what a page reports', () => {
  test('comes from a hidden tab as well, which says that it is one', async () => {
    await using session = await DevSession.start(servers, APP)
    await context.addInitScript(`Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' })`)
    const page = await openLive(session)
    await session.edit({ 'text.js': `export const text = 'second text'` })
    await page.getByText('second text').waitFor()
    expect(await session.painted(2)).toMatchObject({ errors: 0, visible: false })
  })

  test('comes again after its connection broke, with what was edited meanwhile', async () => {
    await using session = await DevSession.start(servers, APP)
    const page = await openApp(session)
    const connections = [Promise.withResolvers<WebSocketRoute>(), Promise.withResolvers<WebSocketRoute>()]
    let opened = 0
    await page.routeWebSocket(/previewd\/live/, (socket) => {
      socket.connectToServer()
      connections[opened++]?.resolve(socket)
    })
    await page.reload()
    await session.painted(1)
    // What was painted may have been so before the reload, and the socket still on its way.
    await (await connections[0]?.promise)?.close()
    await session.edit({ 'text.js': `export const text = 'second text'` })
    await page.getByText('second text').waitFor()
    await connections[1]?.promise
    expect(await session.painted(2)).toMatchObject({ errors: 0 })
    await session.viewing(1)
  })

  test('is of one page that reloads itself without end, beside which others go on, until an edit stops it', async () => {
    await using session = await DevSession.start(servers, {
      ...APP,
      'main.js': `setTimeout(() => location.reload(), 50)`,
    })
    const page = await openApp(session)
    let loads = 0
    page.on('load', () => loads++)
    await expect.poll(() => loads).toBeGreaterThan(10)
    // A new self may have come a moment before the old one is known to have left.
    await session.viewing(1)
    expect((await session.preview.get(session.host, '/text.js')).text).toContain('first text')
    await session.edit({ 'main.js': APP['main.js'] })
    await page.getByText('first text').waitFor()
    await session.painted(2)
  })
})

describe('a page of a session', () => {
  test('is loaded anew where Vite told that to others before it could hear', async () => {
    const tells = `export default { plugins: [{ name: 'tells', configureServer(server) {
      server.middlewares.use('/tell', (_, res) => {
        server.ws.send({ type: 'full-reload', path: '*' })
        res.end()
      }) } }] }`
    await using session = await DevSession.start(servers, { ...APP, 'vite.config.js': tells })
    await openLive(session)
    const page = await context.newPage()
    const { promise: mayConnect, resolve: connect } = Promise.withResolvers<void>()
    await page.routeWebSocket(/token=/, async (socket) => {
      await mayConnect
      socket.connectToServer()
    })
    await page.goto(session.origin)
    await page.waitForFunction(
      'performance.getEntriesByType("resource").some(({ name }) => name.endsWith("/hot"))',
    )
    expect((await session.preview.get(session.host, '/tell')).status).toBe(200)
    const loaded = page.waitForEvent('load')
    connect()
    await loaded
  })

  test('that ended becomes the published build once that is newer', async () => {
    await using session = await DevSession.start(servers, APP)
    const page = await openLive(session)
    session.set('off')
    await session.preview.addBuild(PROJECT, 'build0000001', { 'index.html': '<h1>the next build</h1>' })
    session.preview.addProject(PROJECT).revision = 2
    session.preview.publish(PROJECT, 'build0000001')
    await page.getByText('the next build').waitFor()
    await session.painted(2)
  })

  test('that came in vain again and again is loaded once more for what was edited since', async () => {
    await using session = await DevSession.start(servers, APP)
    // As from dev servers that are gone as soon as they have answered for the page.
    await context.route(/@vite|@previewd|main\.js/, (route) => route.abort())
    const page = await context.newPage()
    let loads = 0
    page.on('load', () => loads++)
    await page.goto(session.origin)
    await expect.poll(() => loads).toBe(4)
    await session.viewing(1)
    await context.unroute(/@vite|@previewd|main\.js/)
    session.preview.addProject(PROJECT).revision = 2
    Object.assign(session, { revision: 2, generation: 'two' })
    session.set('live')
    await page.getByText('first text').waitFor()
    await session.painted(2)
  })

  test('of a project that was deleted and made anew does not take its revisions for those of before', async () => {
    await using session = await DevSession.start(servers, APP)
    const page = await openLive(session)
    await session.edit({ 'text.js': `export const text = 'second text'` })
    session.set('live')
    await session.painted(2)
    session.preview.addProject(PROJECT)
    session.viewers.forget(PROJECT)
    Object.assign(session, { revision: 1, generation: 'two' })
    await session.replace(servers, { ...APP, 'text.js': `export const text = 'made anew'` })
    await page.getByText('made anew').waitFor()
    await session.painted(1)
  })
})

describe('a page of the published build', () => {
  const published = APP['index.html'].replace(
    '<h1></h1>',
    '<h1>published</h1><div style="height:9000px"></div><input>',
  )
  const tall = { ...APP, 'index.html': published.replace('published', '') }

  async function startPublished(): Promise<DevSession> {
    const session = await DevSession.start(servers, tall)
    session.state = 'starting'
    await session.preview.addBuild(PROJECT, 'build0000001', { 'index.html': published, 'main.js': '' })
    session.preview.publish(PROJECT, 'build0000001')
    return session
  }

  test('becomes the session when it is live, at the same address and the same place', async () => {
    await using session = await startPublished()
    const page = await openApp(session, '/route?x=1#part')
    await page.getByText('published').waitFor()
    await session.painted(1)
    await page.evaluate('scrollTo(0, 4321)')
    session.set('live')
    await page.getByText('first text').waitFor()
    expect(page.url()).toBe(`${session.origin}/route?x=1#part`)
    await page.waitForFunction('Math.abs(scrollY - 4321) < 2')
  })

  test('becomes the next one when that is published, where no session starts', async () => {
    await using session = await startPublished()
    const page = await openApp(session, '/route')
    await session.painted(1)
    const next = { 'index.html': published.replace('published', 'next build'), 'main.js': '' }
    await session.preview.addBuild(PROJECT, 'build0000002', next)
    session.state = 'off'
    session.preview.addProject(PROJECT).revision = 2
    session.preview.publish(PROJECT, 'build0000002')
    await page.getByText('next build').waitFor()
    await session.painted(2)
    expect(page.url()).toBe(`${session.origin}/route`)
  })

  test('waits with that while somebody types', async () => {
    await using session = await startPublished()
    const page = await openApp(session)
    await session.painted(1)
    await page.locator('input').click()
    // By the clock of the page: where this types too slowly, it may leave in the middle, and rightly so.
    await page.evaluate(`addEventListener('input', () => (sessionStorage.typedAt = Date.now()), true)
      addEventListener('pagehide', () => (sessionStorage.leftAt = Date.now()))`)
    await page.keyboard.type('words')
    session.set('live')
    await page.keyboard.type('more words', { delay: 100 })
    await page.getByText('first text').waitFor()
    expect(await page.evaluate('sessionStorage.leftAt - sessionStorage.typedAt')).toBeGreaterThan(1900)
  })

  test('that turns back again and again is left alone after a few times', async () => {
    await using session = await startPublished()
    const page = await openApp(session)
    let loads = 0
    page.on('load', () => loads++)
    await session.painted(1)
    // Pages are told of a session that never answers them.
    session.answers = false
    session.set('live')
    await expect.poll(() => loads).toBe(3)
    await session.viewing(1)
    await page.evaluate('new Promise((resolve) => setTimeout(resolve, 1500))')
    expect(loads).toBe(3)
  })
})

describe('who is no editor', () => {
  test('sees the published build, and nothing of the dev server', async () => {
    await using session = await DevSession.start(servers, APP)
    await session.preview.addBuild(PROJECT, 'build0000001', { 'index.html': '<h1>published</h1>' })
    session.preview.publish(PROJECT, 'build0000001')
    session.preview.editor = false
    const page = await openApp(session)
    await page.getByText('published').waitFor()
    expect(await page.evaluate('typeof window.__previewd')).toBe('undefined')
    for (const path of ['/@vite/client', '/main.js', '/@fs/app/main.js', '/@previewd/hot']) {
      const answer = await session.preview.get(session.host, path, { 'sec-fetch-mode': 'cors' })
      expect(answer.status).toBe(404)
    }
    session.preview.addProject(PROJECT, { visibility: 'private' })
    expect((await session.preview.get(session.host, '/main.js')).status).toBe(401)
  })
})

test('behind a proxy that ends TLS, edits come through as well, to the holder of a grant', async () => {
  await using session = await DevSession.start(servers, APP)
  await using outer = await TlsProxy.start(session.preview.port)
  session.preview.editor = false
  session.preview.tokens.set('editor-token', `${PROJECT}:editor`)
  const secure = await browser.newContext({ ignoreHTTPSErrors: true })
  const origin = `https://${PROJECT}.localhost:${outer.port}`
  const page = await openLive(session, `${origin}/?previewd_grant=editor-token`, secure)
  await page.getByText('first text').waitFor()
  expect(page.url()).toBe(`${origin}/`)
  await page.evaluate('window.mark = 1')
  await session.edit({ 'text.js': `export const text = 'second text'` })
  await page.getByText('second text').waitFor()
  await session.painted(2)
  expect(await page.evaluate('window.mark')).toBe(1)
  await secure.close()
})

test('200 pages may be open at once, and an edit reaches all of them', async () => {
  await using session = await DevSession.start(servers, APP)
  const client = await session.preview.get(session.host, '/@vite/client')
  for (const path of ['/', '/main.js', '/text.js']) await session.preview.get(session.host, path)
  const token = /wsToken = "([^"]+)"/.exec(client.text)?.[1]
  const url = `ws://127.0.0.1:${session.preview.port}`
  const headers = { host: session.host }
  const pages = Array.from(
    { length: 200 },
    () => new WebSocket(`${url}/?token=${token}`, 'vite-hmr', { headers }),
  )
  const reports = Array.from({ length: 200 }, () => new WebSocket(`${url}/.previewd/live`, { headers }))
  const told = pages.map(async (page) => {
    for await (const [message] of on(page, 'message')) if (String(message).includes('"revision":2')) return
  })
  await Promise.all(reports.map((report) => once(report, 'open')))
  await Promise.all(pages.map((page) => page.readyState === page.OPEN || once(page, 'open')))
  expect(session.viewers.count(PROJECT)).toBe(200)
  await session.edit({ 'text.js': `export const text = 'second text'` })
  await Promise.all(told)
  for (const socket of [...pages, ...reports]) socket.terminate()
  await session.viewing(0)
})
