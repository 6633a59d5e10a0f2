import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveConfig } from '../../src/config.ts'
import { type Daemon, startDaemon } from '../../src/daemon.ts'
import type { ProjectStatus } from '../../src/model/status.ts'
import { AZURITE_KEY } from '../source/object-servers.ts'
import { INSTALL_TIMEOUT_MS } from '../source/server-packages.ts'
import { STORES, type TestStore } from '../source/stores.ts'
import { Client } from './client.ts'
import { daemonEnvironment, makeDataDir } from './daemon-under-test.ts'

const KEY = 'the-platform-has-this-key'

/** The plan's platform: projects in Azure Blob Storage, a chat back end that knows which files a model wrote. */
describe('a platform that keeps its projects in Azure Blob Storage', () => {
  let store: TestStore
  let daemon: Daemon
  let dataDir: string
  let client: Client
  const log: string[] = []

  beforeAll(async () => {
    store = await STORES.azurite()
    dataDir = makeDataDir()
    const environment = { ...store.environment(), PREVIEWD_API_KEY: KEY, PREVIEWD_LOG_LEVEL: 'trace' }
    const logger = pino({ level: 'trace' }, { write: (line: string) => log.push(line) })
    daemon = await startDaemon(resolveConfig(daemonEnvironment(dataDir, environment)), logger)
    client = new Client(daemon.url)
  }, INSTALL_TIMEOUT_MS)
  afterAll(async () => {
    await daemon.close()
    await rm(dataDir, { recursive: true, force: true })
    await store[Symbol.asyncDispose]()
  })

  async function call(method: string, path: string, body?: unknown, key = KEY) {
    const response = await fetch(daemon.url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { code: response.status, text, body: JSON.parse(text) as Record<string, unknown> }
  }

  async function upload(project: string, files: Record<string, string>): Promise<void> {
    for (const [path, text] of Object.entries(files)) await store.put(`${project}/${path}`, text)
  }

  async function built(project: string): Promise<ProjectStatus> {
    const { body } = await call('POST', `/v1/projects/${project}/sync?wait=built&timeoutMs=120000`, {})
    return body.status as ProjectStatus
  }

  const page = async (project: string) => (await client.preview(project)).text

  it('shows a project that previewd never heard of after one call of the plan, and each change after another', async () => {
    await upload('chat-1', { 'frontend/index.html': '<h1>first</h1>', 'backend/main.py': 'SECRET = 1' })
    const first = await call('POST', '/sync-project/chat-1', {
      changed_files: [{ path: 'index.html', type: 'frontend' }],
    })
    expect(first).toMatchObject({ code: 200, body: { status: 'building', changes: ['index.html'] } })
    expect((await built('chat-1')).state).toBe('ready')
    expect(await page('chat-1')).toContain('<h1>first</h1>')

    await upload('chat-1', { 'frontend/index.html': '<h1>second</h1>', 'frontend/src/new.js': 'export {}' })
    const second = await call('POST', '/sync-project/chat-1', {
      changed_files: [
        { path: './src/new.js', type: 'frontend' },
        { path: 'frontend/index.html', type: 'frontend' },
        { path: 'node_modules/x/index.js', type: 'frontend' },
      ],
    })
    expect(second.body).toEqual({ status: 'building', changes: ['index.html', 'src/new.js'] })
    await built('chat-1')
    expect(await page('chat-1')).toContain('<h1>second</h1>')
  })

  it('accepts files of the back end, which stay where they are, and says where nothing changed', async () => {
    await upload('chat-2', { 'frontend/index.html': '<h1>x</h1>', 'backend/main.py': 'SECRET = 1' })
    const sync = (files: { path: string; type: string }[]) =>
      call('POST', '/sync-project/chat-2', { changed_files: files })
    await sync([{ path: 'index.html', type: 'frontend' }])
    await upload('chat-2', { 'backend/main.py': 'SECRET = 2' })
    const backend = await sync([{ path: 'main.py', type: 'backend' }])
    expect(backend).toMatchObject({ code: 200, body: { status: 'no_changes' } })
    const unchanged = await sync([{ path: 'index.html', type: 'frontend' }])
    expect(unchanged.body).toEqual({ status: 'no_changes' })
    const { body } = await call('GET', '/v1/projects/chat-2/files')
    expect((body.files as { path: string }[]).map(({ path }) => path)).toEqual(['index.html'])
    expect(await store.names('chat-2/backend/')).toEqual(['chat-2/backend/main.py'])
  })

  it('keeps the files of both ends, and builds one, where the project is the folder above them', async () => {
    await upload('whole', { 'frontend/index.html': '<h1>front</h1>', 'backend/main.py': 'one' })
    const source = { kind: 'azure-blob', prefix: 'whole/' }
    await call('PUT', '/v1/projects/whole', { source, root: 'frontend' })
    await built('whole')
    await upload('whole', { 'frontend/index.html': '<h1>both</h1>', 'backend/main.py': 'two' })
    const { body } = await call('POST', '/sync-project/whole', {
      changed_files: [
        { path: 'index.html', type: 'frontend' },
        { path: 'main.py', type: 'backend' },
      ],
    })
    expect(body).toEqual({ status: 'building', changes: ['backend/main.py', 'frontend/index.html'] })
    await built('whole')
    expect(await page('whole')).toContain('<h1>both</h1>')
    expect((await client.preview('whole', '/backend/main.py')).text).not.toContain('two')
  })

  it("takes the platform's own ids, also those that are no names of hosts", async () => {
    await upload('Proj_42:a', { 'frontend/index.html': '<h1>odd id</h1>' })
    const path = '/sync-project/Proj_42%3Aa'
    const changed = { changed_files: [{ path: 'index.html', type: 'frontend' }] }
    expect((await call('POST', path, changed)).body).toMatchObject({ status: 'building' })
    expect((await call('POST', path, changed)).body).toEqual({ status: 'no_changes' })
    const { body } = await call('GET', '/api/build/Proj_42%3Aa/status')
    expect(body.url).toMatch(/\/preview\/proj-42-a-[0-9a-f]{8}\/$/)
  })

  it('does not make a project that the store has nothing of', async () => {
    for (const id of ['nobody', '..%2Fchat-1', '%2e%2e%2f']) {
      const answer = await call('POST', `/sync-project/${id}`, { changed_files: [{ path: 'a' }] })
      expect(answer.code).toBe(404)
    }
    expect((await call('GET', '/v1/projects/nobody')).code).toBe(404)
  })

  it('lets the key of one project read its own place and no other', async () => {
    await upload('mine', { 'frontend/index.html': 'mine' })
    await upload('theirs', { 'frontend/index.html': 'theirs' })
    const made = await call('POST', '/v1/keys', {
      name: 'agent',
      scope: { kind: 'project', project: 'mine' },
    })
    const put = (source: object) => call('PUT', '/v1/projects/mine', { source }, made.body.key as string)
    for (const prefix of ['theirs/frontend/', '', 'mine/frontend/../../theirs/frontend/', 'mine']) {
      const refused = await put({ kind: 'azure-blob', prefix })
      expect(refused).toMatchObject({ code: 422, body: { code: 'SETTINGS_INVALID' } })
    }
    expect(await put({ kind: 'azure-blob', container: 'other' })).toMatchObject({ code: 422 })
    expect(await put({ kind: 's3' })).toMatchObject({ code: 422, body: { code: 'SOURCE_NOT_SUPPORTED' } })
    expect(await put({ kind: 'azure-blob', prefix: 'mine/frontend/app/' })).toMatchObject({ code: 201 })
    expect(await put({ kind: 'azure-blob' })).toMatchObject({
      code: 200,
      body: { source: { kind: 'azure-blob', container: 'projects', prefix: 'mine/frontend/' } },
    })
    const adopting = await call('POST', '/sync-project/theirs', {}, made.body.key as string)
    expect(adopting.code).toBe(403)
  })

  it('says whether what is pushed was stored, too', async () => {
    await call('PUT', '/v1/projects/through', { source: { kind: 'azure-blob', writeThrough: true } })
    const { body } = await call('POST', '/v1/projects/through/changes', { files: { 'index.html': 'pushed' } })
    expect(body).toMatchObject({ revision: 1, stored: { state: 'stored' } })
    expect(await store.names('through/')).toEqual(['through/frontend/index.html'])
  })

  it('has shown the key of the account nowhere: in no answer, log line or file', async () => {
    const secret = AZURITE_KEY.slice(0, 24)
    const { text } = await call('GET', '/v1/projects/chat-1')
    expect(text).not.toContain(secret)
    // Its files change while it runs.
    await daemon.close()
    expect(log.join('')).not.toContain(secret)
    for (const entry of await readdir(dataDir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const content = await readFile(join(entry.parentPath, entry.name))
      expect(content.includes(secret), entry.name).toBe(false)
    }
  })
})
