import { hash } from 'node:crypto'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openStore } from '../../src/store/open-store.ts'
import { LIMITS, MIB } from './limits.ts'
import { makeDataDir, openTestStore, readAll } from './store-directory.ts'

type Model = Map<string, Buffer>

const path = fc.constantFrom('a', 'b', 'c/d', 'c/e', 'f/g/h', 'index.html', '__proto__')
const content = fc.record({
  letter: fc.constantFrom('a', 'b', 'c', 'd'),
  sizeBytes: fc.constantFrom(0, 1, 20, 300_000),
})
const batch = fc.record({
  files: fc.uniqueArray(fc.record({ path, content }), { selector: (file) => file.path, maxLength: 5 }),
  deleted: fc.array(path, { maxLength: 3 }),
  replaceAll: fc.boolean(),
  reopen: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
})

/** Contents are made late, so that a counterexample can be read. */
function withContents<
  T extends { files: { path: string; content: { letter: string; sizeBytes: number } }[] },
>(from: T) {
  const files = from.files.map((file) => ({
    path: file.path,
    content: Buffer.alloc(file.content.sizeBytes, file.content.letter),
  }))
  return { ...from, files }
}

test('any sequence of batches leaves what a map would hold, across restarts and compaction', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { maxLength: 12 }), async (generated) => {
      const batches = generated.map(withContents)
      const dataDir = await makeDataDir()
      let store = await openStore({ dataDir, limits: LIMITS })
      const model: Model = new Map()
      let revision = 0
      for (const { files, deleted, replaceAll, reopen } of batches) {
        const wanted = deleted.filter((name) => !files.some((file) => file.path === name))
        const before = new Map(model)
        if (replaceAll) model.clear()
        for (const name of wanted) model.delete(name)
        for (const file of files) model.set(file.path, file.content)
        const applied = await store.files.apply('demo', {
          files,
          deleted: wanted,
          ...(replaceAll && { replaceAll }),
        })
        const changed = differences(before, model)
        revision += changed.length > 0 ? 1 : 0
        expect(applied).toMatchObject({ revision, changed })
        if (reopen) {
          await store.close()
          store = await openStore({ dataDir, limits: LIMITS })
        }
      }
      if (revision > 0) {
        const manifest = await store.files.manifest('demo')
        const expected = [...model].map(([name, bytes]) => ({
          path: name,
          size: bytes.length,
          sha256: hash('sha256', bytes),
        }))
        expect(manifest.revision).toBe(revision)
        expect([...manifest.files.values()].map((entry) => ({ ...entry }))).toEqual(
          expected.sort((a, b) => (a.path < b.path ? -1 : 1)),
        )
        await using snapshot = await store.files.snapshot('demo')
        for (const [name, bytes] of model) {
          expect(hash('sha256', await snapshot.read(name))).toBe(hash('sha256', bytes))
        }
      }
      await store.close()
    }),
    { numRuns: 40 },
  )
})

function differences(before: Model, after: Model): { path: string; kind: string }[] {
  const changed: { path: string; kind: string }[] = []
  for (const [name, bytes] of after) {
    const old = before.get(name)
    if (old === undefined) changed.push({ path: name, kind: 'added' })
    else if (!old.equals(bytes)) changed.push({ path: name, kind: 'modified' })
  }
  for (const name of before.keys()) if (!after.has(name)) changed.push({ path: name, kind: 'deleted' })
  return changed.sort((a, b) => (a.path < b.path ? -1 : 1))
}

test('a pack stays within a bound of what is alive in it', async () => {
  const dataDir = await makeDataDir()
  const store = await openTestStore(dataDir)
  for (let i = 0; i < 40; i++) {
    const files = [
      { path: 'big', content: Buffer.alloc(MIB, i) },
      { path: 'small', content: Buffer.from(`${i}`) },
    ]
    await store.files.apply('demo', { files, deleted: [] })
  }
  await store.close()
  expect((await stat(join(dataDir, 'projects/demo/files.pack'))).size).toBeLessThan(6 * MIB)
  const again = await openTestStore(dataDir)
  expect((await again.files.manifest('demo')).revision).toBe(40)
  expect((await readAll(again, 'demo')).small).toBe('39')
})

test('a row that is behind its pack, ahead of it or gone is mended after a crash', async () => {
  const dataDir = await makeDataDir()
  const pack = join(dataDir, 'projects/demo/files.pack')
  const apply = async (text: string) => {
    const store = await openTestStore(dataDir)
    await store.files.apply('demo', { files: [{ path: 'a', content: Buffer.from(text) }], deleted: [] })
    await store.close()
    return (await stat(pack)).size
  }
  const first = await apply('one')
  const second = await apply('two')
  const bytes = await readFile(pack)
  for (const sql of [
    `UPDATE projects SET revision = 1, pack_bytes = ${first}`,
    `UPDATE projects SET revision = 9, pack_bytes = ${second + 1000}`,
    'DELETE FROM projects',
  ]) {
    for (const size of [second, second - 1, first]) {
      await writeFile(pack, bytes.subarray(0, size))
      const database = new DatabaseSync(join(dataDir, 'previewd.db'))
      database.exec(sql)
      database.close()
      await writeFile(join(dataDir, 'running'), 'demo\ntor')
      const store = await openTestStore(dataDir)
      expect(store.recovery?.projects).toEqual(['demo'])
      expect(store.projects.get('demo')?.revision).toBe(size === second ? 2 : 1)
      expect(await readAll(store, 'demo')).toEqual({ a: size === second ? 'two' : 'one' })
      await store.close()
    }
  }
})

test('files that a disk made unreadable are put aside, and the newest whole revision is served', async () => {
  const dataDir = await makeDataDir()
  const folder = join(dataDir, 'projects/demo')
  const errors: string[] = []
  const logger = { info: () => undefined, error: (_: object, message: string) => errors.push(message) }
  const store = await openTestStore(dataDir, { mirror: false, logger })
  for (const text of ['one', 'two']) {
    await store.files.apply('demo', { files: [{ path: 'a', content: Buffer.from(text) }], deleted: [] })
  }
  await store.close()
  const bytes = await readFile(join(folder, 'files.pack'))
  bytes[bytes.length - 130] = (bytes[bytes.length - 130] ?? 0) ^ 1
  await writeFile(join(folder, 'files.pack'), bytes)

  const damaged = await openTestStore(dataDir, { mirror: false, logger })
  expect(await readAll(damaged, 'demo')).toEqual({ a: 'one' })
  expect((await readFile(join(folder, 'files.pack.damaged'))).equals(bytes)).toBe(true)
  expect(errors).toEqual([expect.stringContaining('newest files of project demo cannot be read')])
  await damaged.close()

  await writeFile(join(folder, 'files.pack'), 'no pack')
  const lost = await openTestStore(dataDir, { mirror: false, logger })
  expect((await lost.files.manifest('demo')).files.size).toBe(0)
  expect(await readFile(join(folder, 'files.pack.damaged'), 'utf8')).toBe('no pack')
  const applied = await lost.files.apply('demo', {
    files: [{ path: 'b', content: Buffer.from('') }],
    deleted: [],
  })
  expect(applied.revision).toBe(2)
})

test('projects are found again when the database is gone', async () => {
  const dataDir = await makeDataDir()
  const store = await openTestStore(dataDir)
  for (const id of ['x', 'y'])
    await store.files.apply(id, { files: [{ path: id, content: Buffer.from(id) }], deleted: [] })
  await store.close()
  for (const name of ['previewd.db', 'previewd.db-wal', 'previewd.db-shm'])
    await rm(join(dataDir, name), { force: true })
  const again = await openTestStore(dataDir)
  expect(again.projects.count()).toBe(2)
  expect(await readAll(again, 'y')).toEqual({ y: 'y' })
})
