import { access, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { openDatabase } from '../../src/store/database.ts'
import { ProjectTable } from '../../src/store/project-table.ts'
import { filesOf, makeDataDir, openTestStore, readAll } from './store-directory.ts'

describe('projects', () => {
  test('are created with the default settings and keep those that are given', async () => {
    const dataDir = await makeDataDir()
    const store = await openTestStore(dataDir)
    const first = store.projects.put('demo', { name: 'Demo', env: { VITE_A: '1' } })
    expect(first).toMatchObject({
      created: true,
      project: { id: 'demo', revision: 0, settings: { spa: true, name: 'Demo' } },
    })
    const second = store.projects.put('demo', { spa: false, buildCommand: 'make', externalId: 'x-1' })
    expect(second).toMatchObject({
      created: false,
      project: { settings: { spa: false, name: 'Demo', buildCommand: 'make' } },
    })
    store.projects.setPublished('demo', { buildId: 'b'.repeat(12), revision: 3 })
    await store.close()

    const again = await openTestStore(dataDir)
    expect(again.projects.get('demo')).toEqual({
      ...second.project,
      published: { buildId: 'bbbbbbbbbbbb', revision: 3 },
    })
    expect(again.projects.findByExternalId('x-1')?.id).toBe('demo')
    expect(again.projects.findByExternalId('x-2')).toBeUndefined()
    expect(again.projects.count()).toBe(1)
  })

  test('are below a folder that no other user of the machine can enter', async () => {
    const dataDir = await makeDataDir()
    await openTestStore(dataDir)
    expect((await stat(join(dataDir, 'projects'))).mode & 0o777).toBe(0o700)
  })

  test('keep their settings when files come', async () => {
    const store = await openTestStore(await makeDataDir())
    store.projects.put('demo', { name: 'Demo' })
    await store.files.apply('demo', { files: filesOf({ a: '1' }), deleted: [] })
    expect(store.projects.get('demo')).toMatchObject({ revision: 1, settings: { name: 'Demo' } })
  })

  test('are listed in pages, newest activity first, also where many were active in the same millisecond', async () => {
    let nowMs = 1_000
    const table = new ProjectTable(openDatabase(join(await makeDataDir(), 'test.db')), () => nowMs)
    for (let i = 0; i < 50; i++) {
      nowMs += i % 10 === 0 ? 1 : 0
      table.put(`p${String(i).padStart(2, '0')}`, {})
    }
    nowMs += 1
    table.put('p07', { name: 'touched' })
    const seen: string[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = table.list({ limit: 7, ...(cursor !== undefined && { cursor }) })
      seen.push(...page.items.map(({ id }) => id))
      cursor = page.nextCursor
    }
    expect(seen).toHaveLength(50)
    expect(new Set(seen).size).toBe(50)
    expect(seen[0]).toBe('p07')
    expect(seen.slice(1, 11).sort()).toEqual(Array.from({ length: 10 }, (_, i) => `p4${i}`))
  })

  test.each([
    'x',
    '',
    'bnVsbA',
    Buffer.from('[1,2,3]').toString('base64url'),
    Buffer.from('["a",1]').toString('base64url'),
    'A'.repeat(10_000),
  ])('are not listed from the cursor %j, which nobody gave', async (cursor) => {
    const store = await openTestStore(await makeDataDir())
    expect(() => store.projects.list({ limit: 1, cursor })).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    )
    expect(() => store.builds.list('demo', { limit: 1, cursor })).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    )
  })

  test('with an id that is no label are refused', async () => {
    const store = await openTestStore(await makeDataDir())
    expect(() => store.projects.put('../x', {})).toThrow(
      expect.objectContaining({ code: 'INVALID_PROJECT_ID' }),
    )
    await expect(store.files.apply('..', { files: [], deleted: [] })).rejects.toMatchObject({
      code: 'INVALID_PROJECT_ID',
    })
  })
})

describe('a deleted project', () => {
  test('leaves no files, builds or locks behind, and its name is free', async () => {
    const dataDir = await makeDataDir()
    const store = await openTestStore(dataDir)
    await store.files.apply('demo', { files: filesOf({ a: '1' }), deleted: [] })
    store.locks.set('demo', { manifestHash: 'h', lockfile: 'lock' })
    await mkdir(join(dataDir, 'projects/demo/builds/x'), { recursive: true })
    expect(await store.projects.delete('demo')).toBe(true)
    expect(await store.projects.delete('demo')).toBe(false)
    expect(store.projects.get('demo')).toBeUndefined()
    expect(store.locks.get('demo')).toBeUndefined()
    await expect(store.files.manifest('demo')).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' })

    const applied = await store.files.apply('demo', { files: filesOf({ b: '2' }), deleted: [] })
    expect(applied.revision).toBe(1)
    expect(await readAll(store, 'demo')).toEqual({ b: '2' })
    await store.close()
    expect(await readdir(join(dataDir, 'trash'))).toEqual([])
    expect(await readdir(join(dataDir, 'projects/demo'))).toEqual(['files.pack'])
  })

  test('whose deletion was interrupted after its row was gone is removed by the next start', async () => {
    const dataDir = await makeDataDir()
    const store = await openTestStore(dataDir)
    await store.files.apply('demo', { files: filesOf({ a: '1' }), deleted: [] })
    await store.close()
    const database = new DatabaseSync(join(dataDir, 'previewd.db'))
    database.exec("DELETE FROM projects; INSERT INTO deletions VALUES ('demo')")
    database.close()
    await mkdir(join(dataDir, 'trash/other.1'), { recursive: true })
    await writeFile(join(dataDir, 'trash/other.1/x'), '')

    const again = await openTestStore(dataDir)
    expect(again.projects.get('demo')).toBeUndefined()
    await again.close()
    expect(await readdir(join(dataDir, 'projects'))).toEqual([])
    expect(await readdir(join(dataDir, 'trash'))).toEqual([])
  })

  test('that is deleted while batches wait is deleted between them', async () => {
    const store = await openTestStore(await makeDataDir())
    const outcomes = await Promise.all([
      store.files.apply('demo', { files: filesOf({ a: '1' }), deleted: [] }),
      store.projects.delete('demo'),
      store.files.apply('demo', { files: filesOf({ b: '2' }), deleted: [] }),
    ])
    expect(outcomes).toMatchObject([{ revision: 1 }, true, { revision: 1 }])
    expect(await readAll(store, 'demo')).toEqual({ b: '2' })
  })
})

describe('the data directory', () => {
  test('is used by one store at a time', async () => {
    const dataDir = await makeDataDir()
    const store = await openTestStore(dataDir)
    await expect(openTestStore(dataDir)).rejects.toThrow(
      `is used by another previewd (process ${process.pid})`,
    )
    await store.close()
    await openTestStore(dataDir)
  })

  test('that cannot be made is named', async () => {
    const file = join(await makeDataDir(), 'a file')
    await writeFile(file, '')
    await expect(openTestStore(file)).rejects.toThrow(`The data directory ${file} cannot be made`)
  })

  test('of a newer schema is not touched', async () => {
    const dataDir = await makeDataDir()
    await (await openTestStore(dataDir)).close()
    const database = new DatabaseSync(join(dataDir, 'previewd.db'))
    database.exec('PRAGMA user_version=99')
    database.close()
    await expect(openTestStore(dataDir)).rejects.toThrow('newer than this previewd')
  })

  test('without a marker of a running store was closed in order, and has temporary files of nobody', async () => {
    const dataDir = await makeDataDir()
    const store = await openTestStore(dataDir)
    await writeFile(join(store.tmpDir, 'upload-1'), 'x')
    await access(join(dataDir, 'running'))
    await store.close()
    await expect(access(join(dataDir, 'running'))).rejects.toThrow('ENOENT')
    const again = await openTestStore(dataDir)
    expect(await readdir(again.tmpDir)).toEqual([])
    expect(again.recovery).toBeUndefined()
  })
})
