import { hash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { ComingRevision } from '../../src/model/files.ts'
import { LIMITS } from './limits.ts'
import { filesOf, makeDataDir, openTestStore, readAll } from './store-directory.ts'

describe('applying a batch', () => {
  test('makes the project and its first revision, which is there after a restart', async () => {
    const dataDir = await makeDataDir()
    const store = await openTestStore(dataDir)
    const applied = await store.files.apply('demo', {
      files: filesOf({ 'b.txt': 'b', 'a/c.txt': '' }),
      deleted: [],
    })
    expect(applied).toEqual({
      revision: 1,
      changed: [
        { path: 'a/c.txt', kind: 'added' },
        { path: 'b.txt', kind: 'added' },
      ],
      unchanged: 0,
    })
    expect(store.projects.get('demo')?.revision).toBe(1)
    await store.close()

    const again = await openTestStore(dataDir)
    const manifest = await again.files.manifest('demo')
    expect(manifest.revision).toBe(1)
    expect(JSON.parse(JSON.stringify([...manifest.files]))).toEqual([
      ['a/c.txt', { path: 'a/c.txt', size: 0, sha256: hash('sha256', '') }],
      ['b.txt', { path: 'b.txt', size: 1, sha256: hash('sha256', 'b') }],
    ])
    expect(await readAll(again, 'demo')).toEqual({ 'a/c.txt': '', 'b.txt': 'b' })
    expect(again.recovery).toBeUndefined()
  })

  test('tells of a revision while it is written, with what is in it', async () => {
    const store = await openTestStore(await makeDataDir())
    const coming: ComingRevision[] = []
    const batch = { files: filesOf({ a: '1', b: '2' }), deleted: [] }
    await store.files.apply('demo', batch, (one) => coming.push(one))
    await store.files.apply('demo', { files: filesOf({ a: '1' }), deleted: ['b'] }, (one) => coming.push(one))
    await store.files.apply('demo', { files: filesOf({ a: '1' }), deleted: [] }, (one) => coming.push(one))
    expect(coming).toMatchObject([
      { revision: 1, files: [{ path: 'a', content: Buffer.from('1') }, { path: 'b' }] },
      { revision: 2, changed: [{ path: 'b', kind: 'deleted' }], files: [] },
    ])
    await Promise.all(coming.map(({ durable }) => durable))
  })

  test('counts content that is there already, and deletions of what is not, as unchanged', async () => {
    const store = await openTestStore(await makeDataDir())
    await store.files.apply('demo', { files: filesOf({ a: '1', b: '2' }), deleted: [] })
    const same = await store.files.apply('demo', { files: filesOf({ a: '1' }), deleted: ['x'] })
    expect(same).toEqual({ revision: 1, changed: [], unchanged: 2 })
    const mixed = await store.files.apply('demo', { files: filesOf({ a: '1', b: '3' }), deleted: [] })
    expect(mixed).toEqual({ revision: 2, changed: [{ path: 'b', kind: 'modified' }], unchanged: 1 })
  })

  test('with replaceAll deletes what it does not name', async () => {
    const store = await openTestStore(await makeDataDir())
    await store.files.apply('demo', { files: filesOf({ a: '1', b: '2' }), deleted: [] })
    const applied = await store.files.apply('demo', {
      files: filesOf({ c: '3', b: '2' }),
      deleted: [],
      replaceAll: true,
    })
    expect(applied.changed).toEqual([
      { path: 'a', kind: 'deleted' },
      { path: 'c', kind: 'added' },
    ])
    expect(await readAll(store, 'demo')).toEqual({ b: '2', c: '3' })
  })

  test('at another revision than the base it names is refused with the current one', async () => {
    const store = await openTestStore(await makeDataDir())
    await store.files.apply('demo', { files: filesOf({ a: '1' }), deleted: [], baseRevision: 0 })
    const late = store.files.apply('demo', { files: filesOf({ a: '2' }), deleted: [], baseRevision: 0 })
    await expect(late).rejects.toMatchObject({ code: 'REVISION_CONFLICT', extra: { revision: 1 } })
    expect(await readAll(store, 'demo')).toEqual({ a: '1' })
  })

  test('lets one of two writers with the same base through', async () => {
    const store = await openTestStore(await makeDataDir())
    let lost = 0
    const write = async (name: string) => {
      for (let done = 0; done < 20; ) {
        const { revision } = store.projects.get('demo') ?? { revision: 0 }
        try {
          await store.files.apply('demo', {
            files: filesOf({ [`${name}${done}`]: name }),
            deleted: [],
            baseRevision: revision,
          })
          done++
        } catch (error) {
          expect(error).toMatchObject({ code: 'REVISION_CONFLICT' })
          lost++
        }
      }
    }
    await Promise.all([write('x'), write('y')])
    expect((await store.files.manifest('demo')).revision).toBe(40)
    expect(Object.keys(await readAll(store, 'demo'))).toHaveLength(40)
    expect(lost).toBeGreaterThan(0)
  })

  test.each([
    ['a file that is too large', { 'a.txt': '123456' }, 'FILE_TOO_LARGE'],
    ['too many files', { a: '', b: '', c: '', d: '' }, 'TOO_MANY_FILES'],
    ['too many bytes', { a: '12345', b: '12345', c: '12345' }, 'PROJECT_TOO_LARGE'],
    ['names that differ in case', { 'A.ts': '', 'a.ts': '' }, 'INVALID_PATH'],
    ['names that differ in composition', { 'caf\u00e9': '', 'cafe\u0301': '' }, 'INVALID_PATH'],
    ['a file where a folder is', { a: '', 'a/b': '' }, 'INVALID_PATH'],
    ['a file where a folder of other case is', { A: '', 'a/b/c': '' }, 'INVALID_PATH'],
  ])('with %s is refused and changes nothing', async (_, contents, code) => {
    const limits = { fileBytes: 5, projectBytes: 14, files: 3 }
    const store = await openTestStore(await makeDataDir(), { limits })
    await expect(store.files.apply('demo', { files: filesOf(contents), deleted: [] })).rejects.toMatchObject({
      code,
    })
    expect(store.projects.get('demo')).toBeUndefined()
  })

  test('may rename a file to another case', async () => {
    const store = await openTestStore(await makeDataDir())
    await store.files.apply('demo', { files: filesOf({ 'app.tsx': '1' }), deleted: [] })
    await store.files.apply('demo', { files: filesOf({ 'App.tsx': '1' }), deleted: ['app.tsx'] })
    expect(await readAll(store, 'demo')).toEqual({ 'App.tsx': '1' })
  })

  test('that names a path twice is refused', async () => {
    const store = await openTestStore(await makeDataDir())
    const twice = [...filesOf({ a: '1' }), ...filesOf({ a: '2' })]
    await expect(store.files.apply('demo', { files: twice, deleted: [] })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    })
    await expect(
      store.files.apply('demo', { files: filesOf({ a: '1' }), deleted: ['a'] }),
    ).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    })
  })

  test('keeps names that are members of every object', async () => {
    const store = await openTestStore(await makeDataDir())
    const files = ['__proto__', 'constructor/prototype', 'toString'].map((path) => ({
      path,
      content: Buffer.from(path),
    }))
    await store.files.apply('demo', { files, deleted: [] })
    expect([...(await store.files.manifest('demo')).files.keys()]).toEqual(files.map(({ path }) => path))
  })

  test('beyond those that may wait is refused', async () => {
    const store = await openTestStore(await makeDataDir())
    const batches = Array.from({ length: 80 }, (_, i) =>
      store.files.apply('demo', { files: filesOf({ [`f${i}`]: '' }), deleted: [] }),
    )
    const outcomes = await Promise.allSettled(batches)
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused).toHaveLength(80 - 64)
    expect(refused[0]?.reason).toMatchObject({ code: 'OVERLOADED' })
    expect((await store.files.manifest('demo')).files.size).toBe(64)
  })

  test('takes 20,000 files', async () => {
    const dataDir = await makeDataDir()
    const store = await openTestStore(dataDir)
    const contents = Object.fromEntries(
      Array.from({ length: LIMITS.files }, (_, i) => [`src/d${i % 97}/f${i}.ts`, `${i}`]),
    )
    await store.files.apply('demo', { files: filesOf(contents), deleted: [] })
    await store.close()
    const again = await openTestStore(dataDir)
    expect(await readAll(again, 'demo')).toEqual(contents)
    const more = again.files.apply('demo', { files: filesOf({ more: '' }), deleted: [] })
    await expect(more).rejects.toMatchObject({ code: 'TOO_MANY_FILES' })
  })
})

describe('a snapshot', () => {
  test('keeps its revision while newer ones are applied, packs are compacted and the project is deleted', async () => {
    const store = await openTestStore(await makeDataDir())
    const big = (i: number) => `${i}`.repeat(600_000)
    await store.files.apply('demo', { files: filesOf({ a: big(0), b: 'b' }), deleted: [] })
    await using old = await store.files.snapshot('demo')
    for (let i = 1; i < 9; i++)
      await store.files.apply('demo', { files: filesOf({ a: big(i) }), deleted: [] })
    expect(await store.projects.delete('demo')).toBe(true)
    expect(old.revision).toBe(1)
    expect((await old.read('a')).toString()).toBe(big(0))
    expect((await old.read('b')).toString()).toBe('b')
    const chunks: Buffer[] = []
    for await (const chunk of old.stream('a')) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe(big(0))
    await expect(old.read('c')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  })

  test('of a project without files is empty, and of no project an error', async () => {
    const store = await openTestStore(await makeDataDir())
    store.projects.put('demo', {})
    await using snapshot = await store.files.snapshot('demo')
    expect(snapshot.files.size).toBe(0)
    await expect(store.files.snapshot('other')).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' })
  })
})
