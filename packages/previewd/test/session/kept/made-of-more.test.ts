import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PageRequest } from '../../../src/model/session.ts'
import { SeenRequests } from '../../../src/serve/session/page-requests.ts'
import { batchOf, openPipeline, type PipelineUnderTest } from '../../pipeline/pipeline-under-test.ts'
import { askDevServer } from '../dev-server.ts'

const ACCEPT = { page: 'text/html', style: 'text/css', any: '*/*' }
const page: PageRequest = { url: '/', accept: 'page', isModule: false }
const module = (url: string): PageRequest => ({ url, accept: 'any', isModule: true })

const requests = new SeenRequests()
let under: PipelineUnderTest
beforeAll(async () => {
  under = await openPipeline({ sessions: { requests } })
})
afterAll(async () => {
  expect(under.errors).toEqual([])
  await under[Symbol.asyncDispose]()
})

/** What is there of a page that slept while files were changed. */
async function thereAfter(
  project: string,
  files: Record<string, string>,
  asked: PageRequest[],
  edit: Record<string, string>,
  wanted = asked,
): Promise<string[]> {
  under.store.projects.put(project, {})
  await under.store.files.apply(project, batchOf(files))
  under.sessions.ensure(project)
  const address = await under.sessions.untilLive(project)
  for (const request of asked) {
    const { status } = await askDevServer(address?.socket ?? '', request.url, ACCEPT[request.accept])
    expect(status, request.url).toBe(200)
    requests.note(project, request, 'g')
  }
  await under.sessions.stop(project, '')
  await under.store.files.apply(project, batchOf(edit))
  under.sessions.ensure(project)
  const kept = await under.sessions.recorded(project)
  const found = await Promise.all(wanted.map((request) => kept?.find(request)))
  await under.sessions.untilLive(project)
  await under.sessions.stop(project, '')
  return wanted.map(({ url }) => url).filter((_, place) => found[place])
}

test('a Vue component whose props are of a type that it imports is stale after a change of that', async () => {
  const files = {
    'package.json':
      '{"type":"module","dependencies":{"vue":"^3.5.0"},"devDependencies":{"vite":"^8.0.0","@vitejs/plugin-vue":"^6.0.0","typescript":"^5.9.0"}}',
    'vite.config.js': "import vue from '@vitejs/plugin-vue'\nexport default { plugins: [vue()] }\n",
    'index.html': '<script type="module" src="/main.ts"></script>',
    'main.ts': "import Card from './Card.vue'\nimport Plain from './Plain.vue'\nconsole.log(Card, Plain)\n",
    'Card.vue': `<script setup lang="ts">
import { type Props, word } from './props'
defineProps<Props>()
</script>
<template>{{ word }}</template>
`,
    'Plain.vue': `<script setup lang="ts">
import { word } from './props'
</script>
<template>{{ word }}</template>
`,
    'props.ts': "export interface Props { first: string }\nexport const word = 'word'\n",
  }
  const edit = { 'props.ts': "export interface Props { second: number }\nexport const word = 'word'\n" }
  const asked = [page, ...['/main.ts', '/Card.vue', '/Plain.vue', '/props.ts'].map(module)]
  expect(await thereAfter('typed', files, asked, edit)).toEqual(['/', '/main.ts', '/Plain.vue'])
})

test('a stylesheet that is composed of another one is stale after a change of that', async () => {
  const files = {
    'package.json': '{"type":"module","devDependencies":{"vite":"^7.0.0"}}',
    'index.html': '<script type="module" src="/main.js"></script>',
    'main.js':
      "import card from './card.module.css'\nimport './base.module.css'\nimport './plain.module.css'\nconsole.log(card)\n",
    'card.module.css': ".card { composes: box from './base.module.css'; color: red }",
    'base.module.css': '.box { color: green }',
    'plain.module.css': '.plain { color: blue }',
  }
  const edit = { 'base.module.css': '.box { color: black }' }
  const styles = ['/card.module.css', '/base.module.css', '/plain.module.css'].map(module)
  const asked = [page, module('/main.js'), ...styles]
  expect(await thereAfter('composed', files, asked, edit)).toEqual(['/', '/main.js', '/plain.module.css'])
})

test('a page that a plugin writes into is stale after every change, and one that Vite alone does is not', async () => {
  const files = {
    'package.json': '{"type":"module","devDependencies":{"vite":"^8.0.0"}}',
    'index.html': '<title>Page</title><script type="module" src="/main.js"></script>',
    'main.js': "import { title } from './site.js'\nconsole.log(title)\n",
    'site.js': "export const title = 'first'\n",
  }
  const config = `import { readFileSync } from 'node:fs'
const title = {
  name: 'title',
  transformIndexHtml: (html) => html.replace('Page', /'(.*)'/.exec(readFileSync('site.js', 'utf8'))[1]),
}
export default { plugins: [title] }
`
  const edit = { 'site.js': "export const title = 'second'\n" }
  const asked = [page, module('/main.js')]
  expect(await thereAfter('plain', files, asked, edit)).toEqual(['/', '/main.js'])
  const titled = { ...files, 'vite.config.js': config }
  expect(await thereAfter('titled', titled, asked, edit)).toEqual(['/main.js'])
})

test('one of several pages does not stand for another, and the one of an app stands at all its addresses', async () => {
  const files = {
    'package.json': '{"type":"module","devDependencies":{"vite":"^8.0.0"}}',
    'index.html': '<title>Home</title>',
  }
  const pageAt = (url: string): PageRequest => ({ ...page, url })
  const wanted = [pageAt('/'), pageAt('/deep/link')]
  expect(await thereAfter('one', files, [pageAt('/other')], {}, wanted)).toEqual(['/', '/deep/link'])
  const several = { ...files, 'about.html': '<title>About</title>' }
  expect(await thereAfter('several', several, [pageAt('/about.html')], {}, wanted)).toEqual([])
})
