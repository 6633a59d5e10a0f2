import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openNoted } from './noted-syncs.ts'

it('refuses a path that cannot be one to the caller who named it, and not to who joined', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'previewd-joined-'))
  const { store, syncs, source } = await openNoted(dataDir)
  await syncs.sync('demo', {})
  source.text = '2'
  const [bad, good] = await Promise.allSettled([
    syncs.sync('demo', { paths: ['../index.html'] }),
    syncs.sync('demo', { paths: ['index.html'] }),
  ])
  expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'INVALID_PATH' } })
  expect(good).toMatchObject({ status: 'fulfilled', value: { revision: 2 } })
  await syncs.close()
  await store.close()
  await rm(dataDir, { recursive: true })
})
