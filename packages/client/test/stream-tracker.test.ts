import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startServer, type TestServer } from '../../previewd/test/api/server.ts'
import { createClient, type PreviewdError, type Project, type TrackerOptions } from '../src/client.ts'

let server: TestServer
let url: string
beforeEach(async () => {
  server = await startServer()
  server.pipeline.automatic = true
  url = await server.listen()
})
afterEach(() => server.close())

/** The way to the server, which can be cut or held. */
class Way {
  isCut = false
  /** Cut after so many batches. */
  batchesLeft = Infinity
  #held: Promise<void> = Promise.resolve()
  release: () => void = () => undefined
  readonly calls: string[] = []

  hold(): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#held = promise
    this.release = resolve
  }

  readonly fetch: typeof fetch = async (input, init) => {
    this.calls.push(`${init?.method} ${new URL(String(input)).pathname}`)
    if (this.isCut || this.batches > this.batchesLeft) throw new TypeError('fetch failed')
    await this.#held
    return fetch(input, init)
  }

  get batches(): number {
    return this.calls.filter((call) => call.endsWith('/changes')).length
  }
}

function begin(options: TrackerOptions = {}) {
  const way = new Way()
  const project = createClient({ url, fetch: way.fetch, retries: 0 }).project('demo')
  const errors: PreviewdError[] = []
  const tracker = project.trackStream({ live: false, onError: (error) => errors.push(error), ...options })
  const write = (path: string, ...chunks: string[]) => {
    tracker.fileStarted(path)
    for (const chunk of chunks) tracker.fileChunk(path, chunk)
    tracker.fileFinished(path)
  }
  return { way, project, errors, tracker, write }
}

async function contents(project: Project): Promise<Record<string, string>> {
  const { files } = await project.files.list()
  const read = files.map(async ({ path }) => [path, await project.files.readText(path)] as const)
  return Object.fromEntries(await Promise.all(read))
}

const arrived = (project: Project) =>
  contents(project).then(
    (files) => Object.keys(files),
    () => [],
  )

test('a file that is finished arrives while the model still writes', async () => {
  const { project, tracker, write, errors } = begin()
  write('package.json', '{', '}')
  tracker.fileStarted('src/next.ts')
  tracker.fileChunk('src/next.ts', 'half')
  await expect.poll(() => arrived(project)).toEqual(['package.json'])
  tracker.fileChunk('src/next.ts', ' and half')
  tracker.fileFinished('src/next.ts')
  const result = await tracker.finish()
  expect(await contents(project)).toEqual({ 'package.json': '{}', 'src/next.ts': 'half and half' })
  expect(result).toMatchObject({
    sent: ['package.json', 'src/next.ts'],
    dropped: [],
    status: { revision: 2 },
  })
  expect(result.unsent).toEqual({ files: {}, deleted: [] })
  expect(errors).toEqual([])
})

test('a file waits for what it imports, and both come in one revision', async () => {
  const { project, tracker, write } = begin()
  write('index.html', '<script type="module" src="/src/main.ts"></script>')
  write('src/main.ts', "import './app'")
  write('styles.css', 'body {}')
  await expect.poll(() => arrived(project)).toEqual(['styles.css'])
  write('src/app.ts', '')
  await expect.poll(() => arrived(project)).toHaveLength(4)
  expect((await tracker.finish()).status?.revision).toBe(2)
})

test('what the project has already need not be waited for', async () => {
  const { project, tracker, write } = begin()
  await project.applyChanges({ files: { 'src/header.ts': '' } })
  write('src/app.ts', "import './header'")
  await expect.poll(() => arrived(project)).toContain('src/app.ts')
  await tracker.finish()
})

test('a file does not wait for ever for an import that never comes', async () => {
  const { project, tracker, write } = begin({ maxHoldMs: 50 })
  write('src/app.ts', "import './never'")
  await expect.poll(() => arrived(project)).toEqual(['src/app.ts'])
  await tracker.finish()
})

test('what is finished while a call is under way goes with the next one', async () => {
  const { way, tracker, write } = begin()
  way.hold()
  write('a.txt', '1')
  await expect.poll(() => way.calls.length).toBe(1)
  for (let at = 0; at < 50; at++) write(`${at}.txt`, 'x')
  way.release()
  expect((await tracker.finish()).sent).toHaveLength(51)
  expect(way.batches).toBeLessThanOrEqual(2)
})

test('a file that is written again, and one that is begun twice, have what was written last', async () => {
  const { project, tracker, write } = begin()
  write('a.txt', 'first')
  await expect.poll(() => arrived(project)).toEqual(['a.txt'])
  write('a.txt', 'second')
  tracker.fileStarted('b.txt')
  tracker.fileChunk('b.txt', 'forgotten')
  write('b.txt', 'kept')
  tracker.fileFinished('c.txt', 'given whole')
  await tracker.finish()
  expect(await contents(project)).toEqual({ 'a.txt': 'second', 'b.txt': 'kept', 'c.txt': 'given whole' })
})

test('a file that is deleted after it was sent is gone at the end; one deleted while it is written never comes', async () => {
  const { project, tracker, write } = begin()
  write('a.txt', '1')
  write('b.txt', '1')
  await expect.poll(() => arrived(project)).toHaveLength(2)
  tracker.fileDeleted('a.txt')
  tracker.fileStarted('c.txt')
  tracker.fileDeleted('c.txt')
  const result = await tracker.finish()
  expect(await arrived(project)).toEqual(['b.txt'])
  expect(result.sent.toSorted()).toEqual(['a.txt', 'b.txt', 'c.txt'])
})

test('a file that is never finished is not sent, and is told of', async () => {
  const { project, tracker, write } = begin()
  write('a.txt', '1')
  tracker.fileStarted('half.txt')
  tracker.fileChunk('half.txt', 'half')
  expect(await tracker.finish()).toMatchObject({
    sent: ['a.txt'],
    dropped: [{ path: 'half.txt', reason: 'unfinished' }],
  })
  expect(await arrived(project)).toEqual(['a.txt'])
})

test('a server that is away neither breaks nor delays the stream, and what it missed can be sent later', async () => {
  const { way, project, tracker, write, errors } = begin()
  way.isCut = true
  for (let at = 0; at < 20; at++) write(`${at}.txt`, 'x')
  tracker.fileDeleted('old.txt')
  await expect.poll(() => errors.length).toBeGreaterThan(0)
  const result = await tracker.finish({ timeoutMs: 200 })
  expect(result.sent).toEqual([])
  expect(Object.keys(result.unsent.files)).toHaveLength(20)
  expect(result.unsent.deleted).toEqual(['old.txt'])
  expect(errors.map(({ code }) => code)).toContain('CONNECTION_FAILED')

  way.isCut = false
  await project.applyChanges(result.unsent)
  expect(await arrived(project)).toHaveLength(20)
})

test('a server that comes back gets everything', async () => {
  const { way, project, tracker, write } = begin()
  way.isCut = true
  write('a.txt', '1')
  await expect.poll(() => way.calls.length).toBeGreaterThan(0)
  way.isCut = false
  await expect.poll(() => arrived(project)).toEqual(['a.txt'])
  expect((await tracker.finish()).unsent.files).toEqual({})
})

test('a server that hangs costs what finish was given, and no more', async () => {
  const { way, tracker, write, errors } = begin()
  way.hold()
  write('a.txt', '1')
  const result = await tracker.finish({ timeoutMs: 50 })
  expect(result.unsent.files).toEqual({ 'a.txt': '1' })
  expect(errors.at(-1)).toMatchObject({ code: 'TIMEOUT' })
  way.release()
})

test('a path that the server refuses keeps no other file back', async () => {
  const { project, tracker, write, errors } = begin()
  write('a.txt', '1')
  write('../secret.txt', '1')
  write('b.txt', '1')
  const result = await tracker.finish()
  expect(await arrived(project)).toEqual(['a.txt', 'b.txt'])
  expect(result.dropped).toMatchObject([
    { path: '../secret.txt', reason: 'refused', error: { code: 'INVALID_PATH' } },
  ])
  expect(errors.length).toBeGreaterThan(0)
})

test('a file that takes the place of a deleted folder is applied', async () => {
  const { project, tracker, write } = begin()
  await project.applyChanges({ files: { 'src/a/index.ts': '' } })
  write('src/a', 'no folder any more')
  tracker.fileDeleted('src/a/index.ts')
  expect((await tracker.finish()).dropped).toEqual([])
  expect(await arrived(project)).toEqual(['src/a'])
})

test('a way that is cut while it is found out what is refused loses none of the files', async () => {
  const { way, tracker, write } = begin()
  for (const path of ['a.ts', '../secret.txt', 'b.ts', 'c.ts']) write(path, path)
  way.batchesLeft = 1
  const { sent, unsent, dropped } = await tracker.finish()
  expect([sent, dropped]).toEqual([[], []])
  expect(Object.keys(unsent.files).toSorted()).toEqual(['../secret.txt', 'a.ts', 'b.ts', 'c.ts'])
})

test('what was written anew while it was sent does not count as sent', async () => {
  const { way, tracker, write } = begin()
  way.hold()
  write('a.ts', 'old')
  await expect.poll(() => way.calls.length).toBeGreaterThan(0)
  way.release()
  way.hold()
  await expect.poll(() => way.batches).toBe(1)
  write('a.ts', 'new')
  way.batchesLeft = 1
  way.release()
  const { sent, unsent } = await tracker.finish()
  expect([sent, unsent.files]).toEqual([[], { 'a.ts': 'new' }])
})

test('a key that is refused is tried once, and once more at the end', async () => {
  await server.close()
  server = await startServer({ PREVIEWD_API_KEY: 'the-right-key-of-it' })
  url = await server.listen()
  const { way, tracker, write, errors } = begin()
  write('a.txt', '1')
  await expect.poll(() => errors.length).toBe(1)
  write('b.txt', '1')
  expect(way.calls).toHaveLength(1)
  expect(Object.keys((await tracker.finish()).unsent.files)).toEqual(['a.txt', 'b.txt'])
  expect(way.calls).toHaveLength(2)
  expect(errors.map(({ code }) => code)).toEqual(['UNAUTHORIZED', 'UNAUTHORIZED'])
})

test('what there is no room for is dropped, and told of', async () => {
  const { project, tracker, write, errors } = begin({ maxBufferedChars: 10 })
  write('large.txt', '12345', '678901', 'more')
  write('small.txt', '1')
  expect(await tracker.finish()).toMatchObject({
    sent: ['small.txt'],
    dropped: [{ path: 'large.txt', reason: 'no_room' }],
  })
  expect(await arrived(project)).toEqual(['small.txt'])
  expect(errors).toHaveLength(1)
})

test('a live session is started with the package.json, once', async () => {
  const { way, tracker, write, project } = begin({ live: true })
  write('.gitignore', '1')
  await expect.poll(() => arrived(project)).toHaveLength(1)
  expect((await project.session()).state).toBe('off')
  write('package.json', '{}')
  await expect.poll(async () => (await project.session()).state).toBe('starting')
  write('b.txt', '1')
  await tracker.finish()
  expect(way.calls.filter((call) => call === 'PUT /v1/projects/demo/session')).toHaveLength(1)
})

test('a live session is started for a stream that ends at once, too', async () => {
  const { tracker, write, project } = begin({ live: true })
  write('package.json', '{}')
  await tracker.finish()
  await expect.poll(async () => (await project.session()).state).toBe('starting')
})

test('finish can wait for the build, and gives its status', async () => {
  const { tracker, write } = begin()
  write('a.txt', '1')
  expect(await tracker.finish({ wait: 'built' })).toMatchObject({ status: { revision: 1, state: 'ready' } })
})

test('callbacks that throw, and calls that make no sense, break nothing', async () => {
  const written = vi.spyOn(console, 'error').mockReturnValue()
  const fail = () => {
    throw new Error('of the callback')
  }
  const { project, tracker, write } = begin({ onError: fail, onSent: fail })
  tracker.fileFinished('never/started.txt')
  tracker.fileChunk('never/started.txt', 'x')
  write('a.txt', '1')
  const result = await tracker.finish()
  expect(await tracker.finish()).toBe(result)
  write('late.txt', '1')
  expect(result.sent).toEqual(['a.txt'])
  expect(await arrived(project)).toEqual(['a.txt'])
  expect(written).toHaveBeenCalled()
  written.mockRestore()
})

test('a stream that wrote nothing makes no call', async () => {
  const { way, tracker } = begin()
  expect(await tracker.finish({ wait: 'built' })).toMatchObject({ sent: [], status: undefined })
  expect(way.calls).toEqual([])
})
