import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveConfig } from '../../src/config.ts'
import { findSources } from '../../src/doctor/doctor.ts'
import { INSTALL_TIMEOUT_MS } from '../source/server-packages.ts'
import { STORES, type TestStore } from '../source/stores.ts'

describe.each(Object.entries(STORES))('the doctor, of places in %s', (_, start) => {
  let store: TestStore
  beforeAll(async () => {
    store = await start()
  }, INSTALL_TIMEOUT_MS)
  afterAll(() => store[Symbol.asyncDispose]())

  const find = (settings: Record<string, string>) =>
    findSources(
      resolveConfig({ PREVIEWD_REGISTRY: 'http://registry.invalid/', ...store.environment(), ...settings }),
    )

  it('finds those well that can be listed, and says what is wrong with others', async () => {
    const places = `${store.kind}:projects,${store.kind}:not-there/{externalId}/`
    expect(await find({ PREVIEWD_SOURCES: places })).toEqual([
      { name: `Source ${store.kind}:projects`, ok: true, level: 'good', detail: 'It can be listed.' },
      {
        name: `Source ${store.kind}:not-there`,
        ok: false,
        level: 'error',
        detail: expect.stringMatching(/answered 404/),
      },
    ])
  })

  it('says what is wrong with a place that is not written as it should be', async () => {
    expect(await find({ PREVIEWD_SOURCES: 'azure-blob:X' })).toMatchObject([
      { ok: false, detail: expect.stringContaining('PREVIEWD_SOURCES') },
    ])
  })
})
