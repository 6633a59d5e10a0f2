import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, openPage, untilSession } from './browser.ts'
import { startDaemonUnderTest } from './daemon-under-test.ts'
import type { Files } from './project-files.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

const svg = (width: number) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="10"><rect width="9" height="9"/></svg>`
const html = (title: string) => `<!doctype html>
<html><head><title>${title}</title><link rel="icon" href="data:,"></head>
<body><div id="root"></div><script type="module" src="/src/main.jsx"></script></body></html>
`
const tailwind = (color: string) =>
  `export default { content: ['./src/**/*.jsx'], theme: { extend: { colors: { brand: '${color}' } } } }\n`
const css = (border: string) => `@tailwind utilities;\nbutton { border: ${border} solid }\n`
const config = (made: string) => `import { tanstackRouter } from '@tanstack/router-plugin/vite'
import react from '@vitejs/plugin-react'
export default {
  define: { __MADE__: JSON.stringify('${made}') },
  plugins: [tanstackRouter({ target: 'react', disableTypes: true, generatedRouteTree: './src/routeTree.gen.js' }), react()],
}
`
const manifest = (dependencies: Record<string, string> = {}) =>
  JSON.stringify({
    private: true,
    type: 'module',
    scripts: { build: 'vite build' },
    dependencies: {
      '@tanstack/react-router': '^1.169.0',
      react: '^19.2.0',
      'react-dom': '^19.2.0',
      ...dependencies,
    },
    devDependencies: {
      '@tanstack/router-plugin': '^1.167.0',
      '@vitejs/plugin-react': '^6.0.0',
      postcss: '^8.5.6',
      tailwindcss: '^3.4.17',
      vite: '^8.0.0',
    },
  })
/** Holds state; its words come from elsewhere, too. */
const counter = (
  words: string,
  more = { imports: '', words: "''" },
  look = 'text-brand',
) => `import { useState } from 'react'
import logo from './logo.svg'
${more.imports}
export function Counter() {
  const [count, setCount] = useState(0)
  return <>
    <button className="${look}" onClick={() => setCount(count + 1)}>${words} {count} {${more.words}}</button>
    <img src={logo} />
    <p id="env">{import.meta.env.VITE_WORD ?? 'no word'} {__MADE__}</p>
  </>
}
`
const route = (
  path: string,
  text: string,
  imports = '',
) => `import { createFileRoute, Link } from '@tanstack/react-router'
${imports}
export const Route = createFileRoute('${path}')({ component: () => <main><h1>${text}</h1>${imports && '<Counter />'}<Link to="/about">about</Link></main> })
`
const APP: Files = {
  'package.json': manifest(),
  'vite.config.js': config('first config'),
  'postcss.config.js': 'export default { plugins: { tailwindcss: {} } }\n',
  'tailwind.config.js': tailwind('rgb(1, 1, 1)'),
  'index.html': html('first title'),
  'public/note.txt': 'first note',
  'src/main.jsx': `import { createRouter, RouterProvider } from '@tanstack/react-router'
import { createRoot } from 'react-dom/client'
import { routeTree } from './routeTree.gen.js'
import './style.css'
window.loads = Number(sessionStorage.loads ?? 0) + 1
sessionStorage.loads = window.loads
createRoot(document.querySelector('#root')).render(<RouterProvider router={createRouter({ routeTree })} />)
`,
  'src/style.css': css('1px'),
  'src/logo.svg': svg(10),
  'src/Counter.jsx': counter('first'),
  'src/routes/__root.jsx': `import { createRootRoute, Outlet } from '@tanstack/react-router'
export const Route = createRootRoute({ component: () => <Outlet /> })
`,
  'src/routes/index.jsx': route('/', 'Home', "import { Counter } from '../Counter.jsx'"),
}

const style = (page: Page, property: string) => () =>
  page.evaluate(`getComputedStyle(document.querySelector('button')).${property}`)

test('everything that is changed in a live project reaches its open page, with its state where nothing forbids it', async () => {
  await using daemon = await startDaemonUnderTest({
    PREVIEWD_BUILD_QUIET_MS: '600000',
    PREVIEWD_POOL_SIZE: '0',
  })
  const { client } = daemon
  const id = 'changes'
  const started = await client.push(id, APP, { wait: 'live' })
  expect(started).toMatchObject({ code: 200, status: { session: { state: 'live', revision: 1 } } })
  const nobody = await client.push(id, { 'notes.md': 'seen by nobody' }, { wait: 'painted' })
  expect(nobody).toMatchObject({ code: 200, reason: 'no_viewer', painted: null })

  await using opened = await openPage(browser, client.previewUrl(id), { text: 'first 0' })
  const { page } = opened
  const painted = async () => (await client.status(id)).painted
  await untilSession(opened)
  await expect.poll(painted).toMatchObject({ revision: nobody.revision, errors: 0 })
  const button = () => page.textContent('button')
  const change = async (files: Files, deleted: string[] = []) => {
    const answer = await client.push(id, files, { wait: 'painted', deleted })
    expect(answer.code).toBe(200)
    return answer
  }
  const click = async () => {
    await page.getByRole('button').click()
    await expect.poll(button).toContain(' 1 ')
  }
  const loads = () => page.evaluate('window.loads')
  await click()
  const first = await loads()

  // What a page takes without being loaded anew.
  const edited = await change({ 'src/Counter.jsx': counter('second') })
  expect(edited.status.painted).toMatchObject({ revision: edited.revision, errors: 0, visible: true })
  expect(await button()).toBe('second 1 ')
  await change({ 'src/style.css': css('2px') })
  await expect.poll(style(page, 'borderTopWidth')).toBe('2px')
  await change({ 'tailwind.config.js': tailwind('rgb(2, 2, 2)') })
  await expect.poll(style(page, 'color')).toBe('rgb(2, 2, 2)')
  await change({ 'src/logo.svg': svg(20) })
  await expect.poll(() => page.evaluate("document.querySelector('img').naturalWidth")).toBe(20)
  // A class that nothing had before is a stylesheet that nobody edited.
  await change({ 'src/Counter.jsx': counter('second', undefined, 'text-brand pl-[7px]') })
  await expect.poll(style(page, 'paddingLeft')).toBe('7px')
  const added = { imports: "import { added } from './added.js'", words: 'added' }
  await change({
    'src/added.js': "export const added = 'added'\n",
    'src/Counter.jsx': counter('third', added),
  })
  await expect.poll(button).toBe('third 1 added')
  const renamed = { imports: "import { added } from './renamed.js'", words: 'added' }
  const asRenamed = {
    'src/renamed.js': "export const added = 'renamed'\n",
    'src/Counter.jsx': counter('third', renamed),
  }
  await change(asRenamed, ['src/added.js'])
  await expect.poll(button).toBe('third 1 renamed')
  await client.push(id, {}, { wait: 'live', deleted: ['src/renamed.js'] })
  await page.locator('vite-error-overlay').waitFor()
  await change({ 'src/renamed.js': "export const added = 'back'\n" })
  await expect.poll(button).toBe('third 1 back')
  await client.push(id, { 'src/Counter.jsx': 'export function Counter( {' }, { wait: 'live' })
  await page.locator('vite-error-overlay').waitFor()
  await expect
    .poll(async () => (await client.status(id)).diagnostics[0])
    .toMatchObject({ file: 'src/Counter.jsx' })
  await change({ 'src/Counter.jsx': counter('mended') })
  await page.locator('vite-error-overlay').waitFor({ state: 'detached' })
  expect(await button()).toBe('mended 1 ')
  // No faster than they are acknowledged: calls beside one another may come in another order.
  for (let batch = 0; batch < 10; batch++) {
    const files = { 'src/Counter.jsx': counter(`batch ${batch}`) }
    expect((await client.push(id, files, { wait: 'applied' })).code).toBe(200)
  }
  await expect.poll(button).toBe('batch 9 1 ')
  expect(await loads()).toBe(first)

  // What asks for a reload, or for another server.
  await change({ 'public/note.txt': 'second note' })
  await expect.poll(loads).toBe(Number(first) + 1)
  expect(await page.evaluate("fetch('/note.txt').then((answer) => answer.text())")).toBe('second note')
  await change({ 'index.html': html('second title') })
  await expect.poll(() => page.title()).toBe('second title')
  await change({ 'src/routes/about.jsx': route('/about', 'About') })
  await expect
    .poll(async () => (await client.preview(id, '/src/routeTree.gen.js')).text)
    .toContain('AboutRoute')
  await expect
    .poll(async () => {
      await page.getByRole('link', { name: 'about' }).click()
      return await page.textContent('h1')
    })
    .toBe('About')
  await page.goto(client.previewUrl(id))
  await change({ '.env': 'VITE_WORD=of a file\n' })
  await expect.poll(() => page.textContent('#env')).toBe('of a file first config')
  expect(await client.settings(id, { env: { VITE_WORD: 'a word' } })).toBe(200)
  await expect.poll(() => page.textContent('#env')).toBe('a word first config')
  await change({ 'vite.config.js': config('second config') })
  await expect.poll(() => page.textContent('#env')).toBe('a word second config')
  const clsx = { imports: "import clsx from 'clsx'", words: "clsx('from', 'clsx')" }
  await change({ 'package.json': manifest({ clsx: '^2.1.1' }), 'src/Counter.jsx': counter('last', clsx) })
  await expect.poll(button).toBe('last 0 from clsx')
  expect((await client.status(id)).session).toMatchObject({ state: 'live', restarts: 0 })
})
