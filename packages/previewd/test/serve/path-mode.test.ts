import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { GatewayOptions } from '../../src/serve/gateway-options.ts'
import { launchBrowser } from '../e2e/browser.ts'
import { type Answer, PreviewServer } from './preview-server.ts'

const NAVIGATION = { 'sec-fetch-mode': 'navigate', accept: 'text/html' }

let server: PreviewServer
afterEach(() => server.stop())

const start = async (
  pathMode: GatewayOptions['pathMode'],
  more: Partial<GatewayOptions> = {},
): Promise<void> => {
  server = await PreviewServer.start({ pathMode, ...more })
}
const get = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
  server.get(`127.0.0.1:${server.port}`, path, headers, method)

describe('redirect mode', () => {
  beforeEach(async () => {
    await start('redirect')
    await server.addSite('demo', {
      'index.html': 'home',
      'assets/app-AbCd1234.js': 'code',
      'x.svg': '<svg/>',
      '.env': 'SECRET',
    })
    server.setStatus('demo', { urls: { preview: server.originOf('demo'), path: '' } })
  })

  test('sends navigations to the origin, with path and query', async () => {
    const answer = await get('/preview/demo/a/b%20c?x=1&previewd_grant=t', NAVIGATION)
    expect(answer.status).toBe(307)
    expect(answer.headers.location).toBe(`${server.originOf('demo')}/a/b%20c?x=1&previewd_grant=t`)
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  test('answers everything else in place, in a form that no browser would run', async () => {
    for (const path of ['/preview/demo/', '/preview/demo/assets/app-AbCd1234.js', '/preview/demo/x.svg']) {
      const answer = await get(path, { accept: '*/*' })
      expect(answer.status).toBe(200)
      expect(answer.headers['content-security-policy']).toBe('sandbox')
      expect(answer.headers.vary).toContain('Sec-Fetch-Mode')
    }
    expect((await get('/preview/demo/')).text).toBe('home')
  })

  test('adds the slash behind the name', async () => {
    const answer = await get('/preview/demo?x=1')
    expect([answer.status, answer.headers.location]).toEqual([308, '/preview/demo/?x=1'])
  })

  test.each([
    ['/preview/nothing/', 404],
    ['/preview/', 404],
    ['/preview/demo/.env', 404],
    ['/preview/demo/../../etc/passwd', 400],
    ['/preview/demo/%2e%2e/x', 400],
    ['/preview/demo/.previewd/x', 404],
  ])('%s is answered with %i', async (path, status) => {
    expect((await get(path)).status).toBe(status)
  })

  test('leaves every other address of the host to the API', async () => {
    expect((await get('/v1/projects')).text).toBe('the API')
    expect((await get('/?previewd=demo', NAVIGATION)).text).toBe('the API')
  })

  test('does not let the path name another host in a redirect', async () => {
    const answer = await get('/preview/demo//evil.example/', NAVIGATION)
    expect(answer.headers.location).toMatch(new RegExp(`^${server.originOf('demo')}/`))
  })
})

test('path mode answers under the names of the API alone', async () => {
  await start('redirect', { allowsHost: (host) => host?.startsWith('127.0.0.1') === true })
  await server.addSite('demo', { 'index.html': 'home' })
  expect((await get('/preview/demo/')).status).toBe(200)
  expect((await server.get('rebound.example', '/preview/demo/')).status).toBe(421)
})

describe('same-origin mode', () => {
  let origin: string
  beforeEach(async () => {
    await start('same-origin')
    server.variant = (project, buildId) => server.artifacts.open(project, `${buildId}-path`)
    await server.addSite('demo', { 'index.html': 'home' })
    await server.addBuild('demo', 'build0000001-path', ROUTER_APP)
    origin = await server.startPathListener()
    server.setStatus('demo', { urls: { preview: '', path: `${origin}/preview/demo/` } })
  })

  test('sends navigations to a listener of its own, and answers nothing else there', async () => {
    const answer = await get('/preview/demo/about', NAVIGATION)
    expect([answer.status, answer.headers.location]).toEqual([307, `${origin}/preview/demo/about`])
    expect((await get('/preview/demo/')).headers['content-security-policy']).toBe('sandbox')
    expect((await fetch(`${origin}/v1/projects`)).status).toBe(404)
  })

  test('runs an app with a router, with the storage that the browser has', async () => {
    const browser = await launchBrowser()
    try {
      const tab = await browser.newPage()
      await tab.goto(`http://127.0.0.1:${server.port}/preview/demo/about`)
      await tab.getByRole('heading', { name: 'page /about' }).waitFor()
      await tab.getByRole('link', { name: 'settings' }).click()
      await tab.reload()
      await tab.getByRole('heading', { name: 'page /settings' }).waitFor()
      expect(await tab.evaluate('[self.origin, localStorage.getItem("started")]')).toEqual([origin, 'yes'])
    } finally {
      await browser.close()
    }
  })
})

describe('sandboxed mode', () => {
  let browser: Browser
  let context: BrowserContext
  let tab: Page
  let problems: string[]

  beforeAll(async () => {
    browser = await launchBrowser()
  })
  afterAll(() => browser.close())
  beforeEach(async () => {
    await start('sandboxed')
    server.variant = (project, buildId) => server.artifacts.open(project, `${buildId}-path`)
    context = await browser.newContext()
    tab = await context.newPage()
    problems = []
    tab.on('pageerror', (error) => problems.push(error.message))
    tab.on('console', (message) => {
      if (message.text().includes('Unsafe attempt')) problems.push(message.text())
    })
    tab.on('response', (answer) => {
      if (answer.status() >= 400 && !answer.url().endsWith('favicon.ico'))
        problems.push(`${answer.status()} ${answer.url()}`)
    })
  })
  afterEach(() => context.close())

  const url = (path = ''): string => `http://127.0.0.1:${server.port}/preview/demo/${path}`
  const publishVariant = async (files: Record<string, string>, id = 'build0000001'): Promise<void> => {
    if (!server.projects.has('demo')) server.addProject('demo')
    await server.addBuild('demo', `${id}-path`, files)
    await server.addBuild('demo', id, { 'index.html': 'the build for the origin' })
    server.publish('demo', id)
  }

  test('serves the variant under a policy that gives it an origin of nobody', async () => {
    await publishVariant(ROUTER_APP)
    const page = await get('/preview/demo/deep/route', NAVIGATION)
    const policy = String(page.headers['content-security-policy'])
    expect(policy).toMatch(/^sandbox /)
    expect(policy).toContain('allow-scripts')
    expect(policy).not.toContain('allow-same-origin')
    const script = await get('/preview/demo/assets/index-AAAA1111.js', {
      'sec-fetch-mode': 'cors',
      origin: 'null',
    })
    expect(script.headers['access-control-allow-origin']).toBe('*')
    expect(script.headers['content-security-policy']).toMatch(/^sandbox /)
    const again = await get('/preview/demo/', { ...NAVIGATION, 'if-none-match': String(page.headers.etag) })
    expect(again.status).toBe(304)
    const preflight = await get(
      '/preview/demo/data.json',
      { origin: 'null', 'access-control-request-method': 'GET' },
      'OPTIONS',
    )
    expect([preflight.status, preflight.headers['access-control-allow-origin']]).toEqual([204, '*'])
  })

  test('runs an app with a router without a basename, through links, history, reload and a deep link', async () => {
    await publishVariant(ROUTER_APP)
    await tab.goto(url())
    const heading = tab.locator('h1')
    await heading.filter({ hasText: 'page /' }).waitFor()
    await tab.getByRole('link', { name: 'about' }).click()
    await heading.filter({ hasText: 'page /about' }).waitFor()
    await tab.reload()
    await heading.filter({ hasText: 'page /about' }).waitFor()
    await tab.getByRole('link', { name: 'settings' }).click()
    await heading.filter({ hasText: 'page /settings' }).waitFor()
    await tab.goBack()
    await heading.filter({ hasText: 'page /about' }).waitFor()
    await tab.goto(url('settings?tab=2#end'))
    await heading.filter({ hasText: 'page /settings' }).waitFor()
    expect(await tab.evaluate('new URLSearchParams(location.search).get("tab") + location.hash')).toBe(
      '2#end',
    )
    await tab.getByRole('button', { name: 'lazy' }).click()
    await tab.getByText('the lazy chunk').waitFor()
    await tab.getByRole('link', { name: 'full load' }).click()
    await heading.filter({ hasText: 'page /loaded' }).waitFor()
    expect(problems).toEqual([])
  })

  test('gives it storage, cookies and workers that are only its own', async () => {
    await publishVariant(ROUTER_APP)
    await tab.goto(url())
    await tab.locator('h1').waitFor()
    const seen = await tab.evaluate(`(() => {
      localStorage.clear()
      localStorage.setItem('a', '1')
      localStorage.b = '2'
      document.cookie = 'c=3; path=/'
      return {
        items: [localStorage.getItem('a'), localStorage.b, localStorage.length, Object.keys(localStorage).join()],
        missing: [localStorage.getItem('x'), localStorage.x, 'x' in localStorage],
        session: sessionStorage.length,
        cookie: document.cookie,
        origin: self.origin,
        absent: [typeof indexedDB, typeof caches, typeof navigator.locks],
        worker: navigator.serviceWorker.controller,
      }
    })()`)
    expect(seen).toEqual({
      items: ['1', '2', 2, 'a,b'],
      missing: [null, undefined, false],
      session: 0,
      cookie: 'c=3',
      origin: 'null',
      absent: ['undefined', 'undefined', 'undefined'],
      worker: null,
    })
    const answer = await tab.evaluate(
      `new Promise((resolve) => { new Worker('/worker.js').onmessage = (event) => resolve(event.data) })`,
    )
    expect(answer).toBe('from the worker')
    expect(problems).toEqual([])
  })

  test('finds what the app asks for at a path of the root', async () => {
    await publishVariant(ROUTER_APP)
    await tab.goto(url('about'))
    await tab.locator('h1').waitFor()
    expect(await tab.evaluate(`fetch('/data.json').then((answer) => answer.json())`)).toEqual({ data: 1 })
    const width = await tab.evaluate(`(async () => {
      const image = document.createElement('img')
      image.setAttribute('src', '/logo.svg')
      await image.decode()
      return image.width
    })()`)
    expect(width).toBe(40)
    const templated = await tab.evaluate(`(async () => {
      const template = document.createElement('template')
      template.innerHTML = '<img class="x" src="/logo.svg"><a href="/about">a</a>'
      const [image, link] = document.importNode(template.content, true).children
      await image.decode()
      return [image.width, link.getAttribute('href')]
    })()`)
    expect(templated).toEqual([40, '/about'])
    expect(problems).toEqual([])
  })

  test('shows symbols of a sprite, which browsers take from the own origin alone', async () => {
    await publishVariant({
      ...ROUTER_APP,
      'icons.svg':
        '<svg xmlns="http://www.w3.org/2000/svg"><symbol id="box"><rect width="30" height="20"/></symbol></svg>',
    })
    await tab.goto(url())
    await tab.locator('h1').waitFor()
    await tab.evaluate(`(() => {
      const space = 'http://www.w3.org/2000/svg'
      const set = document.createElementNS(space, 'svg')
      set.append(document.createElementNS(space, 'use'))
      set.firstChild.setAttribute('href', '/icons.svg#box')
      document.body.append(set)
      const shadow = document.body.appendChild(document.createElement('div')).attachShadow({ mode: 'open' })
      shadow.innerHTML = '<svg><use href="/icons.svg#box"></use></svg>'
    })()`)
    for (const svg of await tab.locator('svg').all()) {
      await expect.poll(() => svg.evaluate((node) => node.querySelector('use').getBBox().width)).toBe(30)
    }
    expect(problems).toEqual([])
  })

  test('shows plain pages with links from the page and from the root', async () => {
    await publishVariant({
      'index.html': '<h1>home</h1><link rel="stylesheet" href="style.css"><a href="sub/page.html">next</a>',
      'sub/page.html':
        '<head></head><h1>sub</h1><script src="../app.js"></script><a href="../index.html">back</a>',
      'style.css': 'h1 { color: rgb(1, 2, 3) }',
      'app.js': 'document.querySelector("h1").append(" scripted")',
    })
    await tab.goto(url())
    expect(await tab.evaluate('getComputedStyle(document.querySelector("h1")).color')).toBe('rgb(1, 2, 3)')
    await tab.getByRole('link').click()
    await tab.getByText('sub scripted').waitFor()
    expect(tab.url()).toBe(url('sub/page.html'))
    await tab.getByRole('link').click()
    await tab.getByText('home').waitFor()
    expect(problems).toEqual([])
  })

  test('leaves the prefix where the app tells its router of it', async () => {
    await publishVariant({
      ...ROUTER_APP,
      'assets/index-AAAA1111.js':
        'const options = { basename: "/preview/demo/" }; document.body.append(location.pathname)',
    })
    await tab.goto(url('about'))
    await tab.getByText('/preview/demo/about').waitFor()
    expect(problems).toEqual([])
  })

  test('cannot call the API or read another preview in the name of its visitor', async () => {
    await publishVariant(ROUTER_APP)
    await tab.goto(url())
    const api = `http://127.0.0.1:${server.port}/v1/projects`
    const blocked = await tab.evaluate(
      (to) =>
        fetch(to)
          .then((answer) => answer.text())
          .catch(String),
      api,
    )
    expect(blocked).toContain('Failed to fetch')
  })

  test('shows progress while the variant is made, then the variant by itself', async () => {
    server.addProject('demo')
    await tab.goto(url())
    await tab.getByRole('heading', { name: 'Waiting for files' }).waitFor()
    server.variant = async () => 'building'
    await publishVariant(ROUTER_APP)
    await tab.getByRole('heading', { name: 'Building the preview' }).waitFor()
    server.variant = (project, buildId) => server.artifacts.open(project, `${buildId}-path`)
    await tab.getByRole('heading', { name: 'page /' }).waitFor()
  })

  test('says so when the variant cannot be built, and refuses private projects', async () => {
    await publishVariant(ROUTER_APP)
    server.variant = async () => 'failed'
    expect((await get('/preview/demo/', NAVIGATION)).status).toBe(503)
    // A page that waited comes again, and is told the same.
    expect(JSON.parse((await get('/preview/demo/.previewd/status')).text)).toMatchObject({ ready: true })
    await server.addSite('secret', { 'index.html': 'x' }, { visibility: 'private' })
    expect((await get('/preview/secret/', NAVIGATION)).status).toBe(401)
    server.tokens.set('t', 'secret:viewer')
    expect((await get('/preview/secret/?previewd_grant=t')).status).toBe(403)
  })

  test('a page opened before a publish still finds its lazy chunk', async () => {
    await publishVariant(ROUTER_APP)
    await tab.goto(url())
    await tab.locator('h1').waitFor()
    await publishVariant({ 'index.html': 'new' }, 'build0000002')
    await tab.getByRole('button', { name: 'lazy' }).click()
    await tab.getByText('the lazy chunk').waitFor()
  })
})

/** An app in the manner of a BrowserRouter without a basename, built for `/preview/demo/`. */
const ROUTER_APP = {
  'index.html': `<!doctype html><html><head><meta charset="utf-8"><script type="module" crossorigin src="/preview/demo/assets/index-AAAA1111.js"></script>
    </head><body><div id="root"></div></body></html>`,
  'assets/index-AAAA1111.js': `
    localStorage.setItem('started', 'yes')
    const root = document.getElementById('root')
    const links = { about: '/about', settings: '/settings' }
    function render() {
      root.innerHTML = '<h1></h1><nav></nav><button>lazy</button><a href="/loaded">full load</a><p></p>'
      root.querySelector('h1').textContent = 'page ' + document.defaultView.location.pathname
      for (const [name, to] of Object.entries(links)) {
        const link = document.createElement('a')
        link.textContent = name
        link.href = to
        link.onclick = event => { event.preventDefault(); history.pushState({ key: name }, '', to); render() }
        root.querySelector('nav').append(link, ' ')
      }
      root.querySelector('button').onclick = async () => {
        const { text } = await import('/preview/demo/assets/lazy-BBBB2222.js')
        root.querySelector('p').textContent = text
      }
    }
    addEventListener('popstate', render)
    render()`,
  'assets/lazy-BBBB2222.js': `export const text = 'the lazy chunk'`,
  'data.json': '{"data":1}',
  'logo.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"></svg>',
  'worker.js': `postMessage('from the worker')`,
}
