import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, openPage } from './browser.ts'
import type { Client } from './client.ts'
import { startDaemonUnderTest } from './daemon-under-test.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

/** Somebody who is no editor. */
const VISITOR = { 'x-forwarded-for': '192.0.2.1' }

/** Whoever asks for a page while its server wakes or loads gets one that asks again, with a status of 503 or 502. */
async function untilAnswered(client: Client, id: string): Promise<void> {
  await expect.poll(async () => (await client.preview(id, '/', { accept: 'text/html' })).code).toBe(200)
}

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
  const started = await client.push('kit', SVELTEKIT, { wait: 'live' })
  expect(started).toMatchObject({ code: 200, status: { session: { state: 'live', revision: 1 } } })

  await using opened = await openPage(browser, client.previewUrl('kit'), { text: 'rendered on linux' })
  await expect.poll(() => opened.page.title()).toBe('awake')
  await client.push('kit', { 'src/routes/+page.svelte': page('second') }, { wait: 'live' })
  await opened.page.getByRole('heading', { name: 'second' }).waitFor()
  await client.push('kit', { 'src/routes/+page.server.js': load('served') }, { wait: 'live' })
  await opened.page.getByText('served on linux').waitFor()

  const built = await client.push('kit', {}, { wait: 'built' })
  expect(built.status).toMatchObject({ state: 'ready', build: { server: { framework: 'SvelteKit' } } })
  await expect.poll(async () => (await client.preview('kit', '/', VISITOR)).text).toContain('served on linux')
  expect((await client.preview('kit', '/_app/version.json', VISITOR)).code).toBe(200)
})

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
  const started = await client.push('astro', ASTRO, { wait: 'live' })
  expect(started).toMatchObject({ code: 200, status: { session: { state: 'live', revision: 1 } } })
  await untilAnswered(client, 'astro')
  await using opened = await openPage(browser, client.previewUrl('astro'), { text: 'first on linux' })
  await expect.poll(async () => (await client.status('astro')).painted).toMatchObject({ revision: 1 })
  const edit = { 'src/pages/index.astro': astro('second') }
  const edited = await client.push('astro', edit, { wait: 'painted' })
  expect(edited).toMatchObject({ code: 200, status: { painted: { revision: 2, errors: 0 } } })
  expect(await opened.page.textContent('h1')).toBe('second on linux')
  expect(opened.problems).toEqual([])
})

const ASTRO_SERVER = {
  ...ASTRO,
  'package.json': JSON.stringify({
    private: true,
    type: 'module',
    scripts: { dev: 'astro dev', build: 'astro build' },
    dependencies: { '@astrojs/node': '^9.5.0', astro: '^5.17.3' },
  }),
  'astro.config.mjs': `import node from '@astrojs/node'
export default { output: 'server', adapter: node({ mode: 'standalone' }) }
`,
  'src/pages/about.astro': `---\nexport const prerender = true\n---\n<h1>about, ahead of time</h1>\n`,
  'src/pages/asked/[word].astro': `---
import { platform } from 'node:os'
---
<p>{Astro.params.word} asked of {platform()} with {Astro.url.searchParams.get('q')}</p>
`,
}

test('the server of an Astro build renders pages as they are asked for', async () => {
  await using daemon = await startDaemonUnderTest()
  const { client } = daemon
  const built = await client.push('astro-server', ASTRO_SERVER, { wait: 'built' })
  expect(built.status).toMatchObject({ state: 'ready', build: { server: { framework: 'Astro' } } })
  await untilAnswered(client, 'astro-server')
  await using opened = await openPage(browser, client.previewUrl('astro-server'), { text: 'first on linux' })
  expect(opened.problems).toEqual([])
  const asked = await client.preview('astro-server', '/asked/hello?q=world', VISITOR)
  expect(asked).toMatchObject({
    code: 200,
    text: expect.stringContaining('hello asked of linux with world'),
  })
  const about = await client.preview('astro-server', '/about', VISITOR)
  expect(about).toMatchObject({ code: 200, text: expect.stringContaining('about, ahead of time') })
  expect((await client.preview('astro-server', '/nowhere', VISITOR)).code).toBe(404)
})

const REACT = {
  react: '^19.2.0',
  'react-dom': '^19.2.0',
}
const START_ROOT = `import { createRootRoute, HeadContent, Outlet, Scripts } from '@tanstack/react-router'
export const Route = createRootRoute({
  component: () => (
    <html>
      <head><link rel="icon" href="data:," /><HeadContent /></head>
      <body><Outlet /><Scripts /></body>
    </html>
  ),
})
`
const startPage = (text: string) => `import { createFileRoute } from '@tanstack/react-router'
import { createServerFn } from '@tanstack/react-start'
import { platform } from 'node:os'
import { useEffect, useState } from 'react'
const greet = createServerFn().handler(async () => 'greetings from ' + platform())
export const Route = createFileRoute('/')({ loader: () => greet(), component: Home })
function Home() {
  const [asked, setAsked] = useState('nothing')
  useEffect(() => void (document.title = 'awake'), [])
  const ask = async () => setAsked('asked: ' + (await greet()))
  return <main><h1>${text}</h1><p>{Route.useLoaderData()}</p><button onClick={ask}>{asked}</button></main>
}
`
const TANSTACK_START = {
  'package.json': JSON.stringify({
    private: true,
    type: 'module',
    scripts: { dev: 'vite dev', build: 'vite build' },
    dependencies: {
      '@tanstack/react-router': '^1.169.0',
      '@tanstack/react-start': '^1.169.0',
      nitro: '^3.0.260603-beta',
      ...REACT,
    },
    devDependencies: { '@vitejs/plugin-react': '^6.0.0', vite: '^8.0.0' },
  }),
  'vite.config.ts': `import { tanstackStart } from '@tanstack/react-start/plugin/vite'
import react from '@vitejs/plugin-react'
import { nitro } from 'nitro/vite'
export default { plugins: [tanstackStart(), react(), nitro()] }
`,
  'src/router.tsx': `import { createRouter } from '@tanstack/react-router'
import { routeTree } from './routeTree.gen'
export const getRouter = () => createRouter({ routeTree })
`,
  'src/routes/__root.tsx': START_ROOT,
  'src/routes/index.tsx': startPage('first'),
}

test('a TanStack Start app is edited live, then its build is served by its own server, which wakes for who asks', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  const started = await client.push('start', TANSTACK_START, { wait: 'live' })
  expect(started).toMatchObject({ code: 200, status: { session: { state: 'live', revision: 1 } } })
  await untilAnswered(client, 'start')
  {
    await using opened = await openPage(browser, client.previewUrl('start'), { text: 'first' })
    await expect.poll(() => opened.page.title()).toBe('awake')
    await opened.page.getByRole('button', { name: 'nothing' }).click()
    await opened.page.getByText('asked: greetings from linux').waitFor()
    await client.push('start', { 'src/routes/index.tsx': startPage('second') }, { wait: 'painted' })
    await opened.page.getByRole('heading', { name: 'second' }).waitFor()
    expect(opened.problems).toEqual([])
  }
  const built = await client.push('start', {}, { wait: 'built' })
  expect(built.status).toMatchObject({ state: 'ready', build: { server: { framework: 'TanStack Start' } } })
  await client.session('start', 'DELETE')
  await untilAnswered(client, 'start')
  await using opened = await openPage(browser, client.previewUrl('start'), { text: 'second' })
  await expect.poll(() => opened.page.title()).toBe('awake')
  await opened.page.getByRole('button', { name: 'nothing' }).click()
  await opened.page.getByText('asked: greetings from linux').waitFor()
  expect(opened.problems).toEqual([])
})

const REACT_ROUTER = {
  'package.json': JSON.stringify({
    private: true,
    type: 'module',
    scripts: { dev: 'react-router dev', build: 'react-router build' },
    dependencies: { '@react-router/node': '^7.9.0', isbot: '^5.1.0', 'react-router': '^7.9.0', ...REACT },
    devDependencies: { '@react-router/dev': '^7.9.0', vite: '^7.1.0' },
  }),
  'vite.config.js':
    "import { reactRouter } from '@react-router/dev/vite'\nexport default { plugins: [reactRouter()] }\n",
  'app/routes.js': "import { index } from '@react-router/dev/routes'\nexport default [index('home.jsx')]\n",
  'app/root.jsx': `import { Links, Meta, Outlet, Scripts } from 'react-router'
export default function Root() {
  return <html><head><link rel="icon" href="data:," /><Meta /><Links /></head><body><Outlet /><Scripts /></body></html>
}
`,
  'app/home.jsx': `import { Form } from 'react-router'
export const loader = ({ request }) => 'loaded at ' + new URL(request.url).pathname
export const action = async ({ request }) => 'sent ' + (await request.formData()).get('word')
export default function Home({ loaderData, actionData }) {
  return <Form method="post"><p>{loaderData}</p><input name="word" defaultValue="hello" /><button>{actionData ?? 'send'}</button></Form>
}
`,
}

test('a React Router app that was only built takes forms at its server', async () => {
  await using daemon = await startDaemonUnderTest()
  const { client } = daemon
  const built = await client.push('router', REACT_ROUTER, { wait: 'built' })
  expect(built.status).toMatchObject({ state: 'ready', build: { server: { framework: 'React Router' } } })
  await untilAnswered(client, 'router')
  await using opened = await openPage(browser, client.previewUrl('router'), { text: 'loaded at /' })
  await opened.page.getByRole('button', { name: 'send' }).click()
  await opened.page.getByRole('button', { name: 'sent hello' }).waitFor()
  expect(opened.problems).toEqual([])
})

const route = (text: string, loaded: string) => `import { platform } from 'node:os'
import { useEffect } from 'react'
export const loader = () => '${loaded} on ' + platform()
export default function Page({ loaderData }) {
  useEffect(() => void (document.title = 'awake'), [])
  return <main><h1>${text}</h1><p>{loaderData}</p></main>
}
`

test('a React Router session paints edits of components and loaders, and has routes that are added', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  const files = { ...REACT_ROUTER, 'app/home.jsx': route('first', 'loaded') }
  const started = await client.push('routes', files, { wait: 'live' })
  expect(started).toMatchObject({ code: 200, status: { session: { state: 'live', revision: 1 } } })
  expect((await client.preview('routes')).text).toContain('loaded on linux')

  await untilAnswered(client, 'routes')
  await using opened = await openPage(browser, client.previewUrl('routes'), { text: 'loaded on linux' })
  await expect.poll(() => opened.page.title()).toBe('awake')
  for (let revision = 2; revision < 10; revision += 2) {
    const component = { 'app/home.jsx': route(`heading ${revision}`, 'loaded') }
    const edited = await client.push('routes', component, { wait: 'painted' })
    expect(edited).toMatchObject({ code: 200, status: { painted: { revision, errors: 0 } } })
    expect(await opened.page.textContent('h1')).toBe(`heading ${revision}`)
    const loader = { 'app/home.jsx': route(`heading ${revision}`, `asked ${revision}`) }
    const asked = await client.push('routes', loader, { wait: 'painted' })
    expect(asked).toMatchObject({ code: 200, status: { painted: { revision: revision + 1, errors: 0 } } })
    expect(await opened.page.textContent('p')).toBe(`asked ${revision} on linux`)
  }

  const added = {
    'app/more.jsx': route('third', 'added'),
    'app/routes.js': `import { index, route } from '@react-router/dev/routes'
export default [index('home.jsx'), route('more/:word', 'more.jsx')]
`,
  }
  expect((await client.push('routes', added, { wait: 'live' })).code).toBe(200)
  // React Router watches its list of routes itself and takes a moment to read it.
  await expect.poll(async () => (await client.preview('routes', '/more/word')).code).toBe(200)
  await using more = await openPage(browser, client.previewUrl('routes', '/more/word'), {
    text: 'added on linux',
  })
  await expect.poll(() => more.page.title()).toBe('awake')
  expect(more.problems).toEqual([])
  expect(opened.problems).toEqual([])
})

const nuxtServer = (text: string) => `import { platform } from 'node:os'
export default defineEventHandler(() => ({ text: '${text} ' + platform() }))
`
const nuxtPart = (text: string) => `<template><h1>${text}</h1></template>\n`
const NUXT = {
  'package.json': JSON.stringify({
    private: true,
    type: 'module',
    scripts: { dev: 'nuxt dev', build: 'nuxt build' },
    dependencies: { nuxt: '^4.0.0', vue: '^3.5.0' },
  }),
  'nuxt.config.ts': `export default defineNuxtConfig({
  compatibilityDate: '2025-07-15',
  devtools: { enabled: false },
  app: { head: { link: [{ rel: 'icon', href: 'data:,' }] } },
})
`,
  'app/app.vue': `<script setup>
const { data } = await useFetch('/api/greet')
onMounted(() => void (document.title = 'awake'))
</script>
<template><main><Part /><p>{{ data.text }}</p></main></template>
`,
  'app/components/Part.vue': nuxtPart('first'),
  'server/api/greet.js': nuxtServer('greetings from'),
}

// Some hundred packages, a first start and a build: the longest of these tests.
test('a Nuxt app is edited live, in its components and in its server, then its build is served by its own server', async () => {
  await using daemon = await startDaemonUnderTest({ PREVIEWD_BUILD_QUIET_MS: '600000' })
  const { client } = daemon
  const started = await client.push('nuxt', NUXT, { wait: 'live' })
  expect(started).toMatchObject({ code: 200, status: { session: { state: 'live', revision: 1 } } })
  {
    const rendered = await client.preview('nuxt')
    expect(rendered.text).toMatch(/<h1>first<\/h1><p>greetings from linux<\/p>/)
    await using opened = await openPage(browser, client.previewUrl('nuxt'), { text: 'greetings from linux' })
    await expect.poll(() => opened.page.title()).toBe('awake')
    const component = { 'app/components/Part.vue': nuxtPart('second') }
    const edited = await client.push('nuxt', component, { wait: 'painted' })
    expect(edited).toMatchObject({ code: 200, status: { painted: { revision: 2, errors: 0 } } })
    await opened.page.getByRole('heading', { name: 'second' }).waitFor()
    const server = { 'server/api/greet.js': nuxtServer('regards from') }
    const served = await client.push('nuxt', server, { wait: 'painted' })
    expect(served).toMatchObject({ code: 200, status: { painted: { revision: 3, errors: 0 } } })
    await opened.page.getByText('regards from linux').waitFor()
    expect(opened.problems).toEqual([])
  }
  const built = await client.push('nuxt', {}, { wait: 'built' })
  expect(built.status).toMatchObject({ state: 'ready', build: { server: { framework: 'Nuxt' } } })
  await client.session('nuxt', 'DELETE')
  await expect
    .poll(async () => (await client.preview('nuxt', '/api/greet', VISITOR)).text)
    .toContain('regards from linux')
  await using opened = await openPage(browser, client.previewUrl('nuxt'), { text: 'regards from linux' })
  await expect.poll(() => opened.page.title()).toBe('awake')
  expect(await opened.page.textContent('h1')).toBe('second')
  expect(opened.problems).toEqual([])
}, 600_000)
