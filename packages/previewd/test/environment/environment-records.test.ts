import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { EnvironmentRecords } from '../../src/environment/environment-records.ts'
import { openSharedStore } from '../../src/environment/shared-store.ts'

const KEY = 'a'.repeat(64)

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'previewd-records-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('What was saved is there for the next server, and nothing temporary is', async () => {
  const folder = await makeFolder()
  await new EnvironmentRecords(folder).saveLinks(KEY, [['node_modules/a', '/store/a']])
  expect(await new EnvironmentRecords(folder).links(KEY)).toEqual([['node_modules/a', '/store/a']])
  expect(await readdir(join(folder, KEY))).toEqual(['environment.json'])
  expect(await readdir(join(folder, '.tmp'))).toEqual([])
})

test.each(['', '{"version":1,"li', '{"version":2,"links":[]}', '[]'])(
  'A record that says %j is as good as none',
  async (content) => {
    const folder = await makeFolder()
    await new EnvironmentRecords(folder).saveLinks(KEY, [])
    await writeFile(join(folder, KEY, 'environment.json'), content)
    expect(await new EnvironmentRecords(folder).links(KEY)).toBeUndefined()
  },
)

test('What a killed server was writing is removed', async () => {
  const folder = await makeFolder()
  await mkdir(join(folder, '.tmp'))
  await writeFile(join(folder, '.tmp', 'half'), '{"vers')
  await openSharedStore(folder)
  expect(await readdir(folder)).toEqual(['store'])
})

test('Environments are forgotten where their store is gone', async () => {
  const folder = await makeFolder()
  const records = new EnvironmentRecords(folder)
  const store = await openSharedStore(folder)
  await records.saveLinks(KEY, [])
  await openSharedStore(folder)
  expect(await new EnvironmentRecords(folder).links(KEY)).toEqual([])
  await rm(store, { recursive: true })
  await openSharedStore(folder)
  expect(await new EnvironmentRecords(folder).links(KEY)).toBeUndefined()
})
