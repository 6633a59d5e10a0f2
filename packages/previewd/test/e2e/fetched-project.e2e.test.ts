import { readdirSync, readFileSync } from 'node:fs'
import { rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { resolveConfig } from '../../src/config.ts'
import { type Daemon, startDaemon } from '../../src/daemon.ts'
import { startGitServer } from '../source/git-server.ts'
import { tempFolder } from '../source/temp-folder.ts'
import { Client } from './client.ts'
import { daemonEnvironment, makeDataDir } from './daemon-under-test.ts'

const CANARY = 'canary-0123456789abcdef'
const BASIC = Buffer.from(`x-access-token:${CANARY}`).toString('base64')

/** A daemon whose log is kept, and calls to it whose answers are. */
async function startWatched(environment: Record<string, string>) {
  const dataDir = makeDataDir()
  const written: string[] = []
  const log = new Writable({
    write(chunk: Buffer, _, done) {
      written.push(chunk.toString())
      done()
    },
  })
  const settings = daemonEnvironment(dataDir, { PREVIEWD_LOG_LEVEL: 'trace', ...environment })
  const daemon: Daemon = await startDaemon(resolveConfig(settings), pino({ level: 'trace' }, log))
  async function call(method: string, path: string, body?: unknown, key?: string) {
    const answer = await fetch(`${daemon.url}${path}`, {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(key && { authorization: `Bearer ${key}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const said = await answer.text()
    written.push(said)
    return { code: answer.status, body: JSON.parse(said || '{}') as Record<string, unknown> }
  }
  return {
    call,
    client: new Client(daemon.url),
    dataDir,
    /** Everything that was said or logged, and every file of the data folder: ends the daemon, whose files would change. */
    everything: async () => {
      await daemon.close()
      const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((file) =>
        file.isFile(),
      )
      return [
        ...written,
        ...files.map((file) => readFileSync(join(file.parentPath, file.name), 'latin1')),
      ].join('\n')
    },
    async [Symbol.asyncDispose]() {
      await daemon.close({ timeoutMs: 0 })
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

test('a project of a git repository is fetched when it is made, pulled by a sync, and keeps its last good state', async () => {
  await using repository = await startGitServer()
  await repository.commit({ 'site/index.html': '<h1>first</h1>', 'README.md': '' })
  await using server = await startWatched({
    PREVIEWD_GIT_HOSTS: repository.url,
    PREVIEWD_GIT_PRIVATE: '127.0.0.0/8',
    PREVIEWD_GIT_TOKENS: `127.0.0.1:${repository.port}=${CANARY}`,
  })
  const { call, client } = server
  const source = { kind: 'git', url: `${repository.url}/app.git`, ref: 'main', path: 'site' }
  const made = await call('PUT', '/v1/projects/shop', { source })
  expect(made.code).toBe(201)
  expect(made.body.source).toEqual(source)
  await expect.poll(async () => (await client.status('shop')).published?.revision).toBe(1)
  expect((await client.preview('shop')).text).toContain('first')
  expect(repository.seen.at(-1)?.authorization).toBe(`Basic ${BASIC}`)

  expect(await call('POST', '/v1/projects/shop/sync')).toMatchObject({ code: 200, body: { changed: [] } })
  await repository.commit({ 'site/index.html': '<h1>second</h1>', 'site/more.html': '' })
  const pulled = await call('POST', '/v1/projects/shop/sync?wait=built&timeoutMs=60000')
  expect(pulled).toMatchObject({ code: 200, body: { revision: 2, status: { published: { revision: 2 } } } })
  expect((await client.preview('shop')).text).toContain('second')

  repository.intercept = (request, response) => {
    response
      .writeHead(403, { 'content-type': 'text/plain' })
      .end(`no: ${request.headers.authorization} ${CANARY}`)
    return true
  }
  expect(await call('POST', '/v1/projects/shop/sync')).toMatchObject({
    code: 502,
    body: { code: 'SOURCE_DENIED' },
  })
  repository.intercept = () => false
  expect(await call('PUT', '/v1/projects/shop', { source: { ...source, ref: 'gone' } })).toMatchObject({
    code: 200,
  })
  expect(await call('POST', '/v1/projects/shop/sync')).toMatchObject({ body: { code: 'SOURCE_NOT_FOUND' } })
  expect((await client.preview('shop')).text).toContain('second')
  expect(await call('GET', '/v1/projects/shop')).toMatchObject({ body: { revision: 2, state: 'ready' } })

  const everything = await server.everything()
  expect(everything).toContain('SOURCE_DENIED')
  expect(everything).not.toContain(CANARY)
  expect(everything).not.toContain(BASIC)
})

test('a source that the operator does not allow is refused when it is set, and nothing is changed', async () => {
  await using folder = await tempFolder({ 'allowed/index.html': '', 'other/index.html': '' })
  await symlink(join(folder.path, 'other'), join(folder.path, 'allowed/link'))
  const key = 'the-first-admin-key'
  await using server = await startWatched({
    PREVIEWD_LOCAL_ROOTS: join(folder.path, 'allowed'),
    PREVIEWD_GIT_HOSTS: 'git.example.org',
    PREVIEWD_API_KEY: key,
  })
  const { call } = server
  const made = await call(
    'POST',
    '/v1/keys',
    { name: 'one', scope: { kind: 'project', project: 'site' } },
    key,
  )
  const ownKey = String(made.body.key)
  const put = (source: object, by = key) => call('PUT', '/v1/projects/site', { source }, by)
  const local = { kind: 'local', path: join(folder.path, 'allowed') }
  const refused = { code: 422, body: { code: 'SETTINGS_INVALID' } }
  expect(await put({ kind: 'local', path: join(folder.path, 'other') })).toMatchObject(refused)
  expect(await put({ kind: 'local', path: `${local.path}/../other` })).toMatchObject(refused)
  expect(await put({ kind: 'local', path: `${local.path}-not` })).toMatchObject(refused)
  expect(await put({ kind: 'local', path: '/etc' })).toMatchObject(refused)
  expect(await put(local, ownKey)).toMatchObject(refused)
  expect(await put({ kind: 'git', url: 'https://other.example.org/a.git' })).toMatchObject(refused)
  expect(await put({ kind: 'git', url: 'file:///etc' })).toMatchObject(refused)
  expect(await put({ kind: 'git', url: 'https://git.example.org/a.git', ref: '-u/bin/sh' })).toMatchObject(
    refused,
  )
  expect((await call('GET', '/v1/projects/site', undefined, key)).code).toBe(404)

  expect((await put({ kind: 'local', path: `${local.path}/link` })).code).toBe(201)
  expect(await call('POST', '/v1/projects/site/sync', {}, key)).toMatchObject(refused)
  expect(await call('GET', '/v1/projects/site', undefined, key)).toMatchObject({ body: { revision: 0 } })
})

test('a project of a folder follows it until it has another source or is deleted', async () => {
  await using folder = await tempFolder({ 'one/index.html': '1', 'two/index.html': '2' })
  await using server = await startWatched({ PREVIEWD_LOCAL_ROOTS: folder.path })
  const { call, client } = server
  const revision = async (id: string) => (await client.status(id)).revision
  for (const id of ['one', 'two']) {
    await call('PUT', `/v1/projects/${id}`, { source: { kind: 'local', path: join(folder.path, id) } })
    await expect.poll(() => revision(id)).toBe(1)
    await folder.write(`${id}/index.html`, 'edited')
    await expect.poll(() => revision(id)).toBe(2)
  }
  await call('PUT', '/v1/projects/one', { source: { kind: 'push' } })
  await call('DELETE', '/v1/projects/two')
  await folder.write('one/index.html', 'not followed')
  await folder.write('two/index.html', 'not followed')
  await call('PUT', '/v1/projects/three', { source: { kind: 'local', path: join(folder.path, 'one') } })
  await expect.poll(() => revision('three')).toBe(1)
  await folder.write('one/index.html', 'followed by another')
  await expect.poll(() => revision('three')).toBe(2)
  expect(await revision('one')).toBe(2)
  expect((await call('GET', '/v1/projects/two')).code).toBe(404)
})
