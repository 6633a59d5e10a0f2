import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { inspect } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { SyncRequest } from '../../src/model/pipeline.ts'
import { type FaultProxy, startFaultProxy } from '../source/fault-proxy.ts'
import { INSTALL_TIMEOUT_MS } from '../source/server-packages.ts'
import { STORES, type TestStore } from '../source/stores.ts'
import { openSyncs, type SyncsUnderTest } from './syncs-under-test.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const all = {}

describe.each(Object.entries(STORES))('syncs with %s', (kind, start) => {
  let store: TestStore
  let proxy: FaultProxy
  let test: SyncsUnderTest
  let id: string
  let prefix: string
  let count = 0

  beforeAll(async () => {
    store = await start()
    proxy = await startFaultProxy(store.url)
    test = await openSyncs(store, store.environment(proxy.url))
  }, INSTALL_TIMEOUT_MS)
  afterAll(async () => {
    await test[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    id = `p${++count}`
    prefix = `${id}/frontend/`
    test.create(id)
    proxy.reset()
  })

  async function put(files: Record<string, string>): Promise<void> {
    for (const [path, text] of Object.entries(files)) await store.put(prefix + path, text)
  }

  const downloads = () => proxy.requests.filter(({ isDownload }) => isDownload).length
  const listings = () => proxy.requests.filter(({ isListing }) => isListing).length

  async function refusal(request: SyncRequest = all, syncs = test.syncs): Promise<unknown> {
    const error = await syncs.sync(id, request).then(
      () => 'no error',
      (reason: unknown) => reason,
    )
    // A canary: neither what callers are told nor what is logged of it has a credential.
    expect(inspect(error, { depth: 12, showHidden: true })).not.toMatch(
      /AccountKey|Eby8vdM02|sig=|Signature=/,
    )
    return error
  }

  it('brings all files as one revision, and nothing a second time', async () => {
    await put({ 'index.html': '<p>', 'src/App.tsx': 'app' })
    const first = await test.syncs.sync(id, all)
    expect(first).toMatchObject({ revision: 1, changed: [{ kind: 'added' }, { kind: 'added' }] })
    expect(await test.files(id)).toEqual({ 'index.html': '<p>', 'src/App.tsx': 'app' })
    proxy.reset()
    expect(await test.syncs.sync(id, all)).toMatchObject({ revision: 1, changed: [], unchanged: 2 })
    expect(downloads()).toBe(0)
  })

  it('downloads what differs and deletes what is gone: changes, deletions and renames are one revision', async () => {
    await put({ same: '1', changed: '2', gone: '3', 'old-name': '4' })
    await test.syncs.sync(id, all)
    await put({ changed: 'two', 'new-name': '4' })
    await store.remove(`${prefix}gone`)
    await store.remove(`${prefix}old-name`)
    proxy.reset()
    const { revision, changed } = await test.syncs.sync(id, all)
    expect(revision).toBe(2)
    expect(changed.map(({ path, kind }) => `${kind} ${path}`)).toEqual([
      'modified changed',
      'deleted gone',
      'added new-name',
      'deleted old-name',
    ])
    expect(downloads()).toBe(2)
    expect(await test.files(id)).toEqual({ same: '1', changed: 'two', 'new-name': '4' })
  })

  it('looks at the paths of a list alone, with one request for each', async () => {
    await put({ a: '1', b: '1', c: '1', d: '1' })
    await test.syncs.sync(id, all)
    await put({ a: '2', b: '2', c: '2' })
    await store.remove(`${prefix}d`)
    proxy.reset()
    await test.syncs.sync(id, { paths: ['a', 'b', 'd', 'a', 'never-there'] })
    expect(await test.files(id)).toEqual({ a: '2', b: '2', c: '1' })
    expect(proxy.requests).toHaveLength(4)
  })

  it('compares everything where a list is the first that it hears of a project', async () => {
    await put({ a: '1', b: '1' })
    await test.syncs.sync(id, { paths: ['a'] })
    expect(await test.files(id)).toEqual({ a: '1', b: '1' })
  })

  it('takes the newest content where a file changes between listing and reading', async () => {
    await put({ a: 'listed', b: 'listed' })
    let changing: Promise<void> | undefined
    proxy.decide = async ({ isDownload }) => {
      if (isDownload) changing ??= put({ a: 'newer', b: 'newer' })
      await changing
      return 'pass' as const
    }
    await test.syncs.sync(id, all)
    expect(await test.files(id)).toEqual({ a: 'newer', b: 'newer' })
    proxy.reset()
    await test.syncs.sync(id, all)
    expect(downloads()).toBe(0)
  })

  it('leaves out a file that goes between listing and reading', async () => {
    await put({ a: 'stays', b: 'goes' })
    let removing: Promise<void> | undefined
    proxy.decide = async ({ isDownload }) => {
      if (isDownload) removing ??= store.remove(`${prefix}b`)
      await removing
      return 'pass' as const
    }
    await test.syncs.sync(id, all)
    expect(await test.files(id)).toEqual({ a: 'stays' })
  })

  it('makes no revision, and reads what it must, where it lost what it knew of the source', async () => {
    await store.put(`${prefix}hashed`, 'one', { sha256: sha256('one') })
    await put({ plain: 'two' })
    await test.syncs.sync(id, all)
    test.store.sourceNotes.set(id, { place: 'another', files: new Map() })
    proxy.reset()
    expect(await test.syncs.sync(id, all)).toMatchObject({ revision: 1, changed: [] })
    // Only Azure lists metadata.
    expect(downloads()).toBe(kind === 'azurite' ? 1 : 2)
  })

  it('lets those who ask meanwhile share one sync after the one that runs', async () => {
    await put({ a: '1' })
    const held = Promise.withResolvers<'pass'>()
    const begun = Promise.withResolvers<void>()
    proxy.decide = () => {
      begun.resolve()
      return held.promise
    }
    const first = test.syncs.sync(id, all)
    await begun.promise
    const others = [test.syncs.sync(id, { paths: ['b'] }), test.syncs.sync(id, all), test.syncs.sync(id, all)]
    await put({ b: '2' })
    held.resolve('pass')
    expect((await first).revision).toBe(1)
    const outcomes = await Promise.all(others)
    expect(new Set(outcomes.map(({ revision }) => revision)).size).toBe(1)
    expect(await test.files(id)).toEqual({ a: '1', b: '2' })
    expect(listings()).toBe(2)
  })

  it('starts over where a client pushes while it compares', async () => {
    await put({ a: '1', b: '1' })
    await test.syncs.sync(id, all)
    await put({ a: '2' })
    let pushed = false
    proxy.decide = async ({ isDownload }) => {
      if (isDownload && !pushed) {
        pushed = true
        await test.push(id, { b: 'pushed' })
      }
      return 'pass' as const
    }
    await test.syncs.sync(id, all)
    expect(await test.files(id)).toEqual({ a: '2', b: '1' })
    expect(test.revision(id)).toBe(3)
  })

  it.each([429, 500, 503])('gets past a few answers of %d', async (status) => {
    await put({ a: '1' })
    let refused = 0
    proxy.decide = () => (refused++ < 2 ? status : 'pass')
    await test.syncs.sync(id, all)
    expect(await test.files(id)).toEqual({ a: '1' })
  })

  it('reads a file anew whose answer ends half-way', async () => {
    await put({ a: 'x'.repeat(50_000), b: '2' })
    let halved = 0
    proxy.decide = ({ isDownload, url }) =>
      isDownload && url.includes('/a') && halved++ < 2 ? 'half' : 'pass'
    await test.syncs.sync(id, all)
    expect(await test.files(id)).toEqual({ a: 'x'.repeat(50_000), b: '2' })
  })

  describe('where the source fails', () => {
    const before = { kept: 'as it was' }
    beforeEach(async () => {
      await put(before)
      await test.syncs.sync(id, all)
      await put({ kept: 'changed', more: 'x'.repeat(50_000) })
      proxy.reset()
    })

    it.each([
      ['throttles without end', 503, /answered 503/],
      ['never answers', 'hang', /did not answer in 100 ms/],
      ['ends its answers half-way', 'half', /could not be reached|only in part/],
      ['falls silent in its answers', 'stall', /did not answer|silent/],
    ] as const)(
      'keeps the files and says why where it %s, and goes on when it is well',
      async (_, fate, why) => {
        proxy.decide = ({ isDownload }) => (isDownload ? fate : 'pass')
        const syncs = fate === 'hang' || fate === 'stall' ? test.hurried : test.syncs
        expect(await refusal(all, syncs)).toMatchObject({
          code: 'SOURCE_UNREACHABLE',
          message: expect.stringMatching(why),
        })
        const ofList = await refusal({ paths: ['kept'] }, syncs)
        expect(ofList).toMatchObject({ code: 'SOURCE_UNREACHABLE' })
        expect(await test.files(id)).toEqual(before)
        proxy.reset()
        await test.syncs.sync(id, all)
        expect(await test.files(id)).toEqual({ kept: 'changed', more: 'x'.repeat(50_000) })
      },
    )

    it.each([200, 302, 400, 501])('is not misled by answers of %d that no store gives', async (status) => {
      proxy.decide = () => status
      expect(await refusal()).toMatchObject({ code: expect.stringMatching(/^SOURCE_/) })
      expect(await refusal({ paths: ['kept'] })).toMatchObject({ code: expect.stringMatching(/^SOURCE_/) })
      expect(await test.files(id)).toEqual(before)
    })

    it('follows no redirect, which would take its credentials elsewhere', async () => {
      await using elsewhere = await startFaultProxy(store.url)
      proxy.decide = ({ url }) => ({ location: elsewhere.url + url })
      expect(await refusal()).toMatchObject({ code: 'SOURCE_UNREACHABLE' })
      expect(await refusal({ paths: ['kept'] })).toMatchObject({ code: 'SOURCE_UNREACHABLE' })
      expect(elsewhere.requests).toEqual([])
    })

    it('says so where it cannot be listed', async () => {
      proxy.decide = () => 'hang'
      expect(await refusal(all, test.hurried)).toMatchObject({ code: 'SOURCE_UNREACHABLE' })
      expect(await test.files(id)).toEqual(before)
    })

    it('says so where nothing listens there', async () => {
      await using away = await openSyncs(store, store.environment('http://127.0.0.1:9'))
      away.create('away')
      await expect(away.syncs.sync('away', all)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    })

    it('names the refusal where the credentials are wrong', async () => {
      const key = Buffer.from('a key of somebody else').toString('base64')
      const environment = store.environment()
      await using denied = await openSyncs(store, {
        ...environment,
        ...('PREVIEWD_S3_ACCESS_KEY_ID' in environment
          ? { PREVIEWD_S3_ACCESS_KEY_ID: 'NOBODY' }
          : {
              PREVIEWD_AZURE_CONNECTION_STRING: String(environment.PREVIEWD_AZURE_CONNECTION_STRING).replace(
                /AccountKey=[^;]+/,
                `AccountKey=${key}`,
              ),
            }),
      })
      denied.create('denied')
      const error = await denied.syncs.sync('denied', all).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'SOURCE_DENIED', message: expect.stringMatching(/answered 403/) })
      expect(inspect(error, { depth: 12, showHidden: true })).not.toContain(key)
    })

    it('says so where the container is not there', async () => {
      await using lost = await openSyncs(store, {
        PREVIEWD_SOURCES: `${store.kind}:another-container`,
      })
      lost.create('lost')
      await expect(lost.syncs.sync('lost', all)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
    })

    it('deletes nothing where all files are gone at once', async () => {
      await store.remove(`${prefix}kept`)
      await store.remove(`${prefix}more`)
      expect(await refusal()).toMatchObject({ code: 'SOURCE_NOT_FOUND' })
      expect(await test.files(id)).toEqual(before)
    })

    it('ends at once where the project is deleted', async () => {
      const asked = Promise.withResolvers<void>()
      proxy.decide = () => {
        asked.resolve()
        return 'hang'
      }
      const failure = refusal()
      await asked.promise
      await test.syncs.clear(id)
      expect(await failure).toMatchObject({ code: 'PROJECT_NOT_FOUND' })
    })
  })

  it('says that the disk failed where what it downloads cannot be kept', async () => {
    await using full = await openSyncs(store)
    full.create(id)
    await put({ large: 'x'.repeat(2_000_000) })
    await rm(full.store.tmpDir, { recursive: true })
    await expect(full.syncs.sync(id, all)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    expect(full.revision(id)).toBe(0)
  })

  describe('before it downloads', () => {
    it('refuses a file that is larger than allowed', async () => {
      await using small = await openSyncs(store, {
        ...store.environment(proxy.url),
        PREVIEWD_MAX_FILE: '1000',
      })
      small.create(id)
      await put({ small: 'x', large: 'x'.repeat(1001) })
      const expected = { code: 'FILE_TOO_LARGE', message: expect.stringContaining('"large"') }
      await expect(small.syncs.sync(id, all)).rejects.toMatchObject(expected)
      expect(downloads()).toBe(0)
      await store.remove(`${prefix}large`)
      await small.syncs.sync(id, all)
      await put({ large: 'x'.repeat(1001) })
      await expect(small.syncs.sync(id, { paths: ['large'] })).rejects.toMatchObject(expected)
    })

    it('refuses a project of too many files or bytes', async () => {
      const limits = { PREVIEWD_MAX_FILES: '2', PREVIEWD_MAX_PROJECT: '2000' }
      await using small = await openSyncs(store, { ...store.environment(proxy.url), ...limits })
      small.create(id)
      await put({ a: 'x'.repeat(1500), b: 'x'.repeat(1500) })
      await expect(small.syncs.sync(id, all)).rejects.toMatchObject({ code: 'PROJECT_TOO_LARGE' })
      await put({ a: '', b: '', c: '' })
      await expect(small.syncs.sync(id, all)).rejects.toMatchObject({ code: 'TOO_MANY_FILES' })
      expect(downloads()).toBe(0)
    })

    it('refuses a name that is no valid path, and leaves out what nobody wrote', async () => {
      await put({ 'index.html': '1', 'node_modules/a/b.js': '2', '.git/HEAD': '3', '.build-status': '4' })
      await test.syncs.sync(id, all)
      expect(await test.files(id)).toEqual({ 'index.html': '1' })
      await put({ 'src/\u202etxt.exe': 'x' })
      expect(await refusal()).toMatchObject({ code: 'INVALID_PATH' })
      expect(await refusal({ paths: ['../other/index.html'] })).toMatchObject({ code: 'INVALID_PATH' })
    })
  })
  describe('of a project that is written through', () => {
    beforeEach(() => test.create(id, { writeThrough: true }))

    async function atSource(): Promise<string[]> {
      return (await store.names(prefix)).map((name) => name.slice(prefix.length)).toSorted()
    }

    it('stores what is pushed and removes what is deleted, and has nothing to fetch then', async () => {
      expect(await test.pushThrough(id, { a: '1', 'src/b': '2', c: '3' })).toEqual({ state: 'stored' })
      expect(await test.pushThrough(id, { a: 'one' }, ['c'])).toEqual({ state: 'stored' })
      expect(await atSource()).toEqual(['a', 'src/b'])
      proxy.reset()
      expect(await test.syncs.sync(id, all)).toMatchObject({ changed: [], unchanged: 2 })
      expect(downloads()).toBe(0)
    })

    it('has nothing left to store after a push that changed nothing', async () => {
      await test.pushThrough(id, { a: '1' })
      expect(await test.pushThrough(id, { a: '1' })).toBeUndefined()
      expect(test.store.sourceNotes.unstored()).not.toContain(id)
    })

    it('stores only what differs from what the source is known to have', async () => {
      await test.pushThrough(id, { a: '1', b: '2' })
      proxy.reset()
      await test.pushThrough(id, { b: 'two' })
      expect(proxy.requests.map(({ method }) => method)).toEqual(['PUT'])
    })

    it('says that it could not, loses nothing in a sync, and stores it when the source is well', async () => {
      await test.pushThrough(id, { a: '1', gone: '1' })
      proxy.decide = ({ method }) => (method === 'GET' ? 'pass' : 503)
      const stored = await test.pushThrough(id, { a: 'pushed', b: 'pushed' }, ['gone'])
      expect(stored).toMatchObject({ state: 'failed', code: 'SOURCE_UNREACHABLE' })
      expect(test.store.sourceNotes.unstored()).toContain(id)
      expect(await refusal()).toMatchObject({ code: 'SOURCE_UNREACHABLE' })
      expect(await test.files(id)).toEqual({ a: 'pushed', b: 'pushed' })
      proxy.reset()
      await test.syncs.sync(id, all)
      expect(await test.files(id)).toEqual({ a: 'pushed', b: 'pushed' })
      expect(await atSource()).toEqual(['a', 'b'])
    })

    it('tries again by itself', async () => {
      proxy.decide = () => 503
      await test.pushThrough(id, { a: '1' })
      proxy.reset()
      await expect.poll(atSource).toEqual(['a'])
    })

    it('stores after a start what the server before had not stored', async () => {
      test.store.sourceNotes.setUnstored(id, true)
      await test.push(id, { a: 'acknowledged' })
      test.syncs.resume()
      await expect.poll(atSource).toEqual(['a'])
      await expect.poll(() => test.store.sourceNotes.unstored()).not.toContain(id)
    })

    it('fetches what others stored beside it, and takes their deletions', async () => {
      await test.pushThrough(id, { a: '1', b: '2' })
      await put({ theirs: '3' })
      await store.remove(`${prefix}b`)
      await test.syncs.sync(id, all)
      expect(await test.files(id)).toEqual({ a: '1', theirs: '3' })
      expect(await atSource()).toEqual(['a', 'theirs'])
    })

    it('keeps its own state of a file where it meets a source that has another', async () => {
      await put({ both: 'at the source', theirs: 'at the source' })
      await test.pushThrough(id, { both: 'pushed', ours: 'pushed' })
      await test.syncs.sync(id, all)
      expect(await test.files(id)).toEqual({ both: 'pushed', ours: 'pushed', theirs: 'at the source' })
      expect(await atSource()).toEqual(['both', 'ours', 'theirs'])
    })
  })
})
