import { afterAll, beforeAll, expect, it } from 'vitest'
import { batchOf, openPipeline, type PipelineUnderTest } from '../pipeline/pipeline-under-test.ts'

const STATE_TIMEOUT_MS = 60_000
const APP = {
  'package.json': '{"type":"module","devDependencies":{"vite":"^8.0.0"}}',
  'index.html': '<script type="module" src="/main.js"></script>',
  'main.js': 'console.log(1); import.meta.hot?.accept()',
  'vite.config.js': `export default { plugins: [{ name: 'hangs',
    configureServer(server) { server.watcher.on('change', (file) => {
      if (file.endsWith('/loop.txt')) for (;;);
    }) } }] }`,
  'loop.txt': '',
}

let under: PipelineUnderTest
beforeAll(async () => {
  under = await openPipeline({ sessions: { updateTimeoutMs: 10_000 } })
})
afterAll(() => under[Symbol.asyncDispose]())

it('a dev server whose plugin never comes back from an edit is started again, with the files of the edit', async () => {
  const { store, sessions } = under
  store.projects.put('hangs', {})
  await store.files.apply('hangs', batchOf(APP))
  sessions.ensure('hangs')
  const view = () => sessions.view('hangs')
  await expect.poll(view, { timeout: STATE_TIMEOUT_MS }).toMatchObject({ state: 'live', revision: 1 })
  await store.files.apply('hangs', batchOf({ 'loop.txt': 'x' }))
  expect(await sessions.apply('hangs')).toBeUndefined()
  await expect
    .poll(view, { timeout: STATE_TIMEOUT_MS })
    .toMatchObject({ state: 'live', revision: 2, restarts: 1 })
  await store.files.apply('hangs', batchOf({ 'main.js': 'console.log(2); import.meta.hot?.accept()' }))
  expect(await sessions.apply('hangs')).toMatchObject({ revision: 3, errors: [] })
  expect(under.errors).toEqual([])
})

it('a session can be stopped while its dev server never comes back from an edit', async () => {
  await using patient = await openPipeline({ sessions: { updateTimeoutMs: 2 ** 31 - 1 } })
  const { store, sessions } = patient
  store.projects.put('stopped', {})
  await store.files.apply('stopped', batchOf(APP))
  sessions.ensure('stopped')
  const state = () => sessions.view('stopped').state
  await expect.poll(state, { timeout: STATE_TIMEOUT_MS }).toBe('live')
  await store.files.apply('stopped', batchOf({ 'loop.txt': 'x' }))
  const update = sessions.apply('stopped')
  await sessions.stop('stopped', 'Enough.')
  expect(await update).toBeUndefined()
  expect(patient.errors).toEqual([])
})
