import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DaemonUnderTest, startDaemonUnderTest } from '../../../previewd/test/e2e/daemon-under-test.ts'
import { freePort } from '../../../previewd/test/e2e/free-port.ts'
import { sampleProject as sample } from '../../../previewd/test/e2e/sample-project.ts'
import {
  createClient,
  type PreviewdClient,
  PreviewdFailedError,
  PreviewdTimeoutError,
} from '../../src/client.ts'

const sampleProject = (text: string) => sample(text) as Record<string, string>
const KEY = 'the-key-of-the-operator'

let daemon: DaemonUnderTest
let client: PreviewdClient
beforeAll(async () => {
  // A port that is there again when the daemon is.
  daemon = await startDaemonUnderTest({ PREVIEWD_API_KEY: KEY, PREVIEWD_PORT: String(await freePort()) })
  client = createClient({ url: daemon.client.url, apiKey: KEY })
  await client.ready()
})
afterAll(() => daemon[Symbol.asyncDispose]())

test('files go in, a preview comes out, and what broke it is told', async () => {
  const project = await client.projects.create({ id: 'shop', name: 'Shop' })
  const applied = await project.applyChanges({ files: sampleProject('Hello') })
  expect(applied).toMatchObject({ revision: 1, timedOut: false })
  const ready = await project.waitUntilReady()
  expect(ready).toMatchObject({ state: 'ready', published: { revision: 1 } })
  expect(await project.getPreviewUrl()).toBe(ready.urls.preview)
  expect(await project.getPreviewUrl({ role: 'viewer' })).toContain('previewd_grant=')

  await project.applyChanges({ files: { 'src/main.js': "import './gone.js'\n" } })
  const failed = await project.waitUntilReady().catch((error: unknown) => error)
  expect(failed).toBeInstanceOf(PreviewdFailedError)
  expect(failed).toMatchObject({ code: 'BUILD_FAILED', diagnostics: [{ file: 'src/main.js', line: 1 }] })
  expect(await project.diagnostics({ format: 'prompt' })).toContain('src/main.js')
  expect((await project.diagnostics()).diagnostics).toHaveLength(1)
  expect((await Array.fromAsync(client.projects.list())).map(({ id }) => id)).toEqual(['shop'])
})

test('a build is followed line by line, and an earlier one is published again', async () => {
  const project = client.project('builds')
  const files = sampleProject('One')
  await project.applyChanges({ files }, { wait: 'built', timeoutMs: 120_000 })
  await project.applyChanges({ files: { 'src/main.js': files['src/main.js']?.replace('One', 'Two') ?? '' } })
  const build = await project.build({ force: true })
  const lines: string[] = []
  for await (const { text } of build.logs()) lines.push(text)
  expect(lines.join('\n')).toContain('dist/index.html')
  expect((await build.wait()).info.state).toBe('succeeded')
  expect(await project.logs({ build: build.id })).toBe(`${lines.join('\n')}\n`)
  const all = await Array.fromAsync(project.builds())
  const first = all.at(-1) ?? expect.fail()
  expect((await first.publish()).published).toEqual({ buildId: first.id, revision: 1 })
})

test('bytes stay what they are, few and many, whatever their files are called', async () => {
  const project = client.project('bytes')
  const small = new Uint8Array([0, 255, 1, 254])
  const large = new Uint8Array(randomBytes(400_000))
  await project.applyChanges({ files: { 'small.bin': small, 'index.html': 'text' } })
  const names = ['files', 'deleted', 'baseRevision', 'ümläut 100%.bin', "it's.bin"]
  await project.applyChanges({ files: { 'a "b".bin': large } })
  const files = Object.fromEntries(names.map((name) => [name, large]))
  await project.applyChanges({
    files: { ...files, 'text.txt': 'äöü' },
    deleted: ['index.html'],
    baseRevision: 2,
  })
  const { files: manifest, revision } = await project.files.list()
  expect(manifest.map(({ path }) => path)).toEqual(
    ['a "b".bin', ...names, 'small.bin', 'text.txt'].toSorted(),
  )
  expect(revision).toBe(3)
  expect(await project.files.read('small.bin')).toEqual(small)
  for (const name of [...names, 'a "b".bin']) expect(await project.files.read(name)).toEqual(large)
  expect(await project.files.readText('text.txt')).toBe('äöü')
})

describe('a live session', () => {
  test('is waited for, and ends with its block', async () => {
    const project = client.project('live')
    await project.applyChanges({ files: sampleProject('Live') })
    {
      await using _session = await project.startSession()
      expect(await project.waitUntilLive()).toMatchObject({ state: 'live' })
    }
    expect((await project.session()).state).toBe('off')
    await project.stopSession()
    await expect(project.waitUntilLive()).rejects.toMatchObject({ code: 'SESSION_FAILED' })
  })
})

test('waiting for what does not come ends with its time, or its signal', async () => {
  const project = await client.projects.create({ id: 'empty' })
  await expect(project.waitUntilReady({ timeoutMs: 100 })).rejects.toThrow(PreviewdTimeoutError)
  const stop = new AbortController()
  const waiting = project.waitUntilReady({ signal: stop.signal })
  stop.abort(new Error('The user left.'))
  await expect(waiting).rejects.toThrow('The user left.')
})

test('events go on where they were after the server has been started again', async () => {
  const project = client.project('events')
  await project.applyChanges({ files: { 'index.html': '1' } }, { wait: 'built' })
  const stop = new AbortController()
  const revisions: number[] = []
  const reading = (async () => {
    for await (const event of project.events({ types: ['revision'], after: 0, signal: stop.signal })) {
      if (event.type === 'revision') revisions.push(event.data.revision)
    }
  })()
  await expect.poll(() => revisions).toEqual([1])
  await daemon.restart()
  await project.applyChanges({ files: { 'index.html': '2' } })
  await expect.poll(() => revisions).toEqual([1, 2])
  stop.abort(new Error('Enough.'))
  await expect(reading).rejects.toThrow('Enough.')
})

test('events of a project that is deleted end with what happened to it', async () => {
  const project = await client.projects.create({ id: 'gone' })
  const events = project.events()
  expect((await events.next()).value).toMatchObject({ type: 'status' })
  await project.delete()
  await expect(project.status()).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND', status: 404 })
  await events.return()
  await expect(project.events().next()).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' })
})
