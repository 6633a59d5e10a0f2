import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Build, BuildState } from '../../src/model/build.ts'
import { openDatabase } from '../../src/store/database.ts'
import { KeyTable } from '../../src/store/key-table.ts'
import { makeDataDir, openTestStore } from './store-directory.ts'

function buildOf(id: string, state: BuildState, project = 'demo'): Build {
  return {
    id,
    project,
    revision: 1,
    state,
    queuedAt: '2026-01-01T00:00:00.000Z',
    diagnostics: [],
    timings: {},
  }
}

describe('builds', () => {
  test('are found by project and id, newest first, in pages', async () => {
    const store = await openTestStore(await makeDataDir())
    for (let i = 0; i < 5; i++) store.builds.insert(buildOf(`b${i}`, 'succeeded'))
    store.builds.insert(buildOf('b0', 'failed', 'other'))
    expect(store.builds.get('demo', 'b3')?.id).toBe('b3')
    expect(store.builds.get('other', 'b3')).toBeUndefined()
    expect(store.builds.newest('demo')?.id).toBe('b4')
    expect(store.builds.newest('none')).toBeUndefined()
    const first = store.builds.list('demo', { limit: 3 })
    expect(first.items.map(({ id }) => id)).toEqual(['b4', 'b3', 'b2'])
    const second = store.builds.list('demo', { limit: 3, cursor: first.nextCursor ?? '' })
    expect(second.items.map(({ id }) => id)).toEqual(['b1', 'b0'])
    expect(second.nextCursor).toBeNull()
    store.builds.delete('demo', 'b4')
    expect(store.builds.newest('demo')?.id).toBe('b3')
  })

  test('that were not finished are known after a restart', async () => {
    const dataDir = await makeDataDir()
    const store = await openTestStore(dataDir)
    store.builds.insert(buildOf('b1', 'queued'))
    store.builds.insert(buildOf('b2', 'building'))
    store.builds.insert(buildOf('b3', 'queued'))
    store.builds.update(buildOf('b1', 'succeeded'))
    store.builds.update(buildOf('gone', 'failed'))
    await store.close()
    const again = await openTestStore(dataDir)
    expect(again.builds.unfinished()).toEqual([buildOf('b2', 'building'), buildOf('b3', 'queued')])
    expect(again.builds.get('demo', 'gone')).toBeUndefined()
  })

  test('are activity of their project', async () => {
    const store = await openTestStore(await makeDataDir())
    store.projects.put('demo', {})
    const before = store.projects.get('demo')?.activeAt ?? ''
    await expect.poll(() => new Date().toISOString() > before).toBe(true)
    store.builds.insert(buildOf('b1', 'queued'))
    expect(store.projects.get('demo')?.activeAt.localeCompare(before)).toBe(1)
  })
})

describe('keys', () => {
  test('are shown once and verified by their hash', async () => {
    const database = openDatabase(join(await makeDataDir(), 'test.db'))
    let nowMs = Date.parse('2026-01-01T00:00:00Z')
    const keys = new KeyTable(database, () => nowMs)
    const { key, record } = keys.create('ci', { kind: 'project', project: 'demo' })
    expect(key).toMatch(/^pvd_[\w-]{43}$/)
    expect(keys.list()).toEqual([record])
    expect(JSON.stringify(database.prepare('SELECT * FROM keys').all())).not.toContain(key.slice(4))

    nowMs += 1000
    expect(keys.verify(key)).toEqual({ ...record, lastUsedAt: '2026-01-01T00:00:01.000Z' })
    nowMs += 1000
    expect(keys.verify(key)?.lastUsedAt).toBe('2026-01-01T00:00:01.000Z')
    nowMs += 60_000
    expect(keys.verify(key)?.lastUsedAt).toBe('2026-01-01T00:01:02.000Z')
    for (const wrong of ['', 'pvd_', key.slice(0, -1), `${key}A`, key.toLowerCase()]) {
      expect(keys.verify(wrong)).toBeUndefined()
    }
    expect(keys.delete(record.id)).toBe(true)
    expect(keys.delete(record.id)).toBe(false)
    expect(keys.verify(key)).toBeUndefined()
  })
})

describe('resolved lockfiles', () => {
  test('are kept per project, each text once', async () => {
    const dataDir = await makeDataDir()
    const store = await openTestStore(dataDir)
    const lockfile = 'lockfileVersion: 9\n'.repeat(1000)
    store.locks.set('a', { manifestHash: 'h1', lockfile })
    store.locks.set('b', { manifestHash: 'h1', lockfile })
    store.locks.set('a', { manifestHash: 'h2', lockfile: 'new' })
    store.locks.set('a', { manifestHash: 'h3', lockfile: 'new' })
    await store.close()
    const again = await openTestStore(dataDir)
    expect(again.locks.get('a')).toEqual({ manifestHash: 'h3', lockfile: 'new' })
    expect(again.locks.get('b')).toEqual({ manifestHash: 'h1', lockfile })
    expect(again.locks.get('c')).toBeUndefined()
  })
})
