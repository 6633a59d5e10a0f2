import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, openPage } from './browser.ts'
import { startDaemonUnderTest } from './daemon-under-test.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

const load = (text: string) => `import { platform } from 'node:os'
export const load = () => ({ text: '${text} on ' + platform() })
`
const page = (text: string) => `<script>
  let { data } = $props()
  $effect(() => void (document.title = 'awake'))
</script>
<h1>${text}</h1>
<p>{data.text}</p>
`
const SVELTEKIT = {
  'package.json': JSON.stringify({
    private: true,
    type: 'module',
    scripts: { dev: 'vite dev', build: 'vite build' },
    devDependencies: {
      '@sveltejs/adapter-auto': '^7.0.0',
      '@sveltejs/kit': '^2.50.0',
      '@sveltejs/vite-plugin-svelte': '^6.2.0',
      svelte: '^5.50.0',
      vite: '^7.3.0',
    },
  }),
  'svelte.config.js':
    "import adapter from '@sveltejs/adapter-auto'\nexport default { kit: { adapter: adapter() } }\n",
  'vite.config.js':
    "import { sveltekit } from '@sveltejs/kit/vite'\nexport default { plugins: [sveltekit()] }\n",
  'src/app.html':
    '<!doctype html><html><head><link rel="icon" href="data:," />%sveltekit.head%</head><body>%sveltekit.body%</body></html>\n',
  'src/routes/+page.server.js': load('rendered'),
  'src/routes/+page.svelte': page('first'),
}

test('a page that a server renders follows edits of itself at once, and of its server code by a reload', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '100' })
  const { client } = daemon
  const started = await client.push('kit', SVELTEKIT, { wait: 'live', timeoutMs: 100_000 })
  expect(started).toMatchObject({ code: 200, status: { session: { state: 'live', revision: 1 } } })

  await using opened = await openPage(browser, client.previewUrl('kit'), { text: 'rendered on linux' })
  await expect.poll(() => opened.page.title()).toBe('awake')
  await client.push('kit', { 'src/routes/+page.svelte': page('second') }, { wait: 'live' })
  await opened.page.getByRole('heading', { name: 'second' }).waitFor()
  await client.push('kit', { 'src/routes/+page.server.js': load('served') }, { wait: 'live' })
  await opened.page.getByText('served on linux').waitFor()

  const built = await client.push('kit', {}, { wait: 'built' })
  expect(built.status).toMatchObject({ state: 'error', diagnostics: [{ code: 'SERVER_RENDERED' }] })
}, 120_000)

const astro = (text: string) => `---
import { platform } from 'node:os'
---
<html><head><link rel="icon" href="data:," /></head><body><h1>${text} on {platform()}</h1></body></html>
`
const ASTRO = {
  'package.json': JSON.stringify({
    private: true,
    type: 'module',
    scripts: { dev: 'astro dev', build: 'astro build' },
    dependencies: { astro: '^5.16.0' },
  }),
  'astro.config.mjs': 'export default { devToolbar: { enabled: false } }\n',
  'src/pages/index.astro': astro('first'),
}

test('a framework that starts Vite itself gets its pages reloaded by each edit, and they say what they show', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  const started = await client.push('astro', ASTRO, { wait: 'live', timeoutMs: 100_000 })
  expect(started).toMatchObject({ code: 200, status: { session: { state: 'live', revision: 1 } } })
  await using opened = await openPage(browser, client.previewUrl('astro'), { text: 'first on linux' })
  await expect.poll(async () => (await client.status('astro')).painted).toMatchObject({ revision: 1 })
  const edit = { 'src/pages/index.astro': astro('second') }
  const edited = await client.push('astro', edit, { wait: 'painted' })
  expect(edited).toMatchObject({ code: 200, status: { painted: { revision: 2, errors: 0 } } })
  expect(await opened.page.textContent('h1')).toBe('second on linux')
  expect(opened.problems).toEqual([])
}, 120_000)
