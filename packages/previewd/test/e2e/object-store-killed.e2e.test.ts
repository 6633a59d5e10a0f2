import { rmSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type FaultProxy, startFaultProxy } from '../source/fault-proxy.ts'
import { INSTALL_TIMEOUT_MS } from '../source/server-packages.ts'
import { STORES, type TestStore } from '../source/stores.ts'
import { startDaemonChild } from './daemon-child.ts'
import { makeDataDir } from './daemon-under-test.ts'

describe('a server that is killed', () => {
  let store: TestStore
  let proxy: FaultProxy
  let dataDir: string

  beforeAll(async () => {
    store = await STORES.azurite()
    proxy = await startFaultProxy(store.url)
  }, INSTALL_TIMEOUT_MS)
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    dataDir = makeDataDir()
    proxy.reset()
  })
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

  const start = () => startDaemonChild(dataDir, store.environment(proxy.url))

  async function post(url: string, body: object): Promise<Record<string, unknown>> {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
    return (await response.json()) as Record<string, unknown>
  }

  async function paths(url: string): Promise<string[]> {
    const response = await fetch(`${url}/files`)
    const { files } = (await response.json()) as { files: { path: string }[] }
    return files.map(({ path }) => path)
  }

  it('stores when it is back what it had acknowledged and could not store', async () => {
    proxy.decide = () => 503
    {
      await using first = await start()
      const source = {
        kind: 'azure-blob',
        container: 'projects',
        prefix: 'kept/',
        writeThrough: true,
      } as const
      await first.client.settings('kept', { source })
      const url = `${first.client.url}/v1/projects/kept/changes`
      const answer = await post(url, { files: { 'index.html': 'acknowledged' } })
      expect(answer).toMatchObject({ revision: 1, stored: { state: 'failed', code: 'SOURCE_UNREACHABLE' } })
      await first.kill()
    }
    proxy.reset()
    await using _second = await start()
    await expect.poll(() => store.names('kept/')).toEqual(['kept/index.html'])
  })

  it('has the files of before or of after a sync, and syncs again', async () => {
    await store.put('cut/frontend/index.html', 'one')
    const source = { kind: 'azure-blob', container: 'projects', prefix: 'cut/frontend/' } as const
    {
      await using first = await start()
      const project = `${first.client.url}/v1/projects/cut`
      await first.client.settings('cut', { source })
      await post(`${project}/sync`, {})
      for (let at = 0; at < 40; at++) await store.put(`cut/frontend/f${at}.js`, 'x'.repeat(20_000))
      const half = Promise.withResolvers<void>()
      let downloads = 0
      proxy.decide = ({ isDownload }) => {
        if (!isDownload || ++downloads < 20) return 'pass'
        half.resolve()
        return 'hang'
      }
      const cut = post(`${project}/sync`, {}).catch(() => 'cut')
      await half.promise
      await first.kill()
      expect(await cut).toBe('cut')
    }
    proxy.reset()
    await using second = await start()
    const project = `${second.client.url}/v1/projects/cut`
    expect(await paths(project)).toEqual(['index.html'])
    expect(await post(`${project}/sync`, {})).toMatchObject({ revision: 2 })
    expect(await paths(project)).toHaveLength(41)
  })
})
