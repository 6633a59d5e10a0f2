import { inspect } from 'node:util'
import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  generateAccountSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveConfig } from '../../src/config.ts'
import { DEFAULT_SETTINGS } from '../../src/model/project.ts'
import { createSources } from '../../src/source/sources.ts'
import { AZURITE_ACCOUNT, AZURITE_KEY } from './object-servers.ts'
import { INSTALL_TIMEOUT_MS } from './server-packages.ts'
import { STORES, type TestStore } from './stores.ts'

const HOUR_MS = 60 * 60 * 1000

describe('Azure Blob Storage', () => {
  let store: TestStore
  beforeAll(async () => {
    store = await STORES.azurite()
    await store.put('demo/frontend/index.html', 'hello')
  }, INSTALL_TIMEOUT_MS)
  afterAll(() => store[Symbol.asyncDispose]())

  async function paths(settings: Record<string, string>): Promise<string[]> {
    const sources = createSources(
      resolveConfig({
        PREVIEWD_REGISTRY: 'http://registry.invalid/',
        PREVIEWD_SOURCES: 'azure-blob:projects',
        PREVIEWD_AZURE_ENDPOINT: `${store.url}/${AZURITE_ACCOUNT}`,
        ...settings,
      }),
    )
    const source = await sources.open({
      id: 'demo',
      settings: {
        ...DEFAULT_SETTINGS,
        source: sources.resolve({ kind: 'azure-blob' }, { id: 'demo', isTrusted: false }),
      },
      revision: 0,
      createdAt: '',
      activeAt: '',
    })
    const files = await Array.fromAsync(source.list(new AbortController().signal))
    return files.map(({ path }) => path)
  }

  function sas(permissions: string): string {
    return generateAccountSASQueryParameters(
      {
        expiresOn: new Date(Date.now() + HOUR_MS),
        permissions: AccountSASPermissions.parse(permissions),
        resourceTypes: AccountSASResourceTypes.parse('co').toString(),
        services: AccountSASServices.parse('b').toString(),
      },
      new StorageSharedKeyCredential(AZURITE_ACCOUNT, AZURITE_KEY),
    ).toString()
  }

  it('is reached with the key of an account', async () => {
    const settings = { PREVIEWD_AZURE_ACCOUNT: AZURITE_ACCOUNT, PREVIEWD_AZURE_KEY: AZURITE_KEY }
    expect(await paths(settings)).toEqual(['index.html'])
  })

  it.each(['', '?'])('is reached with a shared access signature, written as "%s…"', async (start) => {
    expect(await paths({ PREVIEWD_AZURE_SAS: `${start}${sas('rl')}` })).toEqual(['index.html'])
  })

  it.each([
    ['may not list', () => sas('r')],
    ['was tampered with', () => sas('rl').replace(/sig=..../, 'sig=AAAA')],
  ])('names the refusal where a signature %s, and does not show it', async (_, make) => {
    const signature = make()
    const error = await paths({ PREVIEWD_AZURE_SAS: signature }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'SOURCE_DENIED', message: expect.stringMatching(/answered 403/) })
    const shown = inspect(error, { depth: 12, showHidden: true })
    expect(shown).not.toContain(new URLSearchParams(signature).get('sig'))
    expect(shown).not.toContain('sig=')
  })

  it('is not asked with a connection string that is none, which is not shown either', async () => {
    const error = await paths({ PREVIEWD_AZURE_CONNECTION_STRING: 'AccountKey=canary-7731' }).catch(
      (reason: unknown) => reason,
    )
    expect(inspect(error, { depth: 12, showHidden: true })).not.toContain('canary-7731')
    expect(error).toMatchObject({
      code: 'SOURCE_DENIED',
      message: expect.stringContaining('PREVIEWD_AZURE_CONNECTION_STRING'),
    })
  })
})
