import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { resolveConfig } from '../../src/config.ts'
import { DEFAULT_SETTINGS } from '../../src/model/project.ts'
import type { Source, SourceFile, Sources } from '../../src/model/source.ts'
import { createSources } from '../../src/source/sources.ts'
import { STORES, type TestStore } from './stores.ts'

const signal = new AbortController().signal
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

describe.each(Object.entries(STORES))('a source of %s', (_, start) => {
  let store: TestStore
  let sources: Sources
  let source: Source
  let project = 0
  let prefix: string

  beforeAll(async () => {
    store = await start()
    sources = createSources(
      resolveConfig({ PREVIEWD_REGISTRY: 'http://registry.invalid/', ...store.environment() }),
    )
  })
  afterAll(async () => {
    await sources[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    const id = `p${++project}`
    prefix = `${id}/frontend/`
    const settings = sources.resolve(store.source, { id, isTrusted: false })
    source = await sources.open({
      id,
      settings: { ...DEFAULT_SETTINGS, source: settings },
      revision: 0,
      createdAt: '',
      activeAt: '',
    })
  })

  async function list(): Promise<Map<string, SourceFile>> {
    const files = await Array.fromAsync(source.list(signal))
    return new Map(files.map((file) => [file.path, file]))
  }

  async function text(content: AsyncIterable<Buffer> | undefined): Promise<string | undefined> {
    return content && Buffer.concat(await Array.fromAsync(content)).toString()
  }

  it('lists the files of its project by paths below its prefix, with sizes', async () => {
    await store.put(`${prefix}index.html`, '<h1>hello</h1>')
    await store.put(`${prefix}src/a b/ü+%20.ts`, 'export {}')
    await store.put(`p${project}0/frontend/other.ts`, 'not of this project')
    const files = await list()
    expect([...files.keys()].toSorted()).toEqual(['index.html', 'src/a b/ü+%20.ts'])
    expect(files.get('index.html')?.size).toBe(14)
  })

  it('lists more files than fit into one page', async () => {
    const names = Array.from({ length: 1100 }, (_, at) => `${prefix}f${at}.ts`)
    await Promise.all(names.map((name) => store.put(name, '')))
    expect((await list()).size).toBe(1100)
  })

  it('gives another version to other content', async () => {
    await store.put(`${prefix}a.ts`, 'one')
    const before = await source.find('a.ts', signal)
    await store.put(`${prefix}a.ts`, 'two')
    expect((await source.find('a.ts', signal))?.version).not.toBe(before?.version)
  })

  it('lists a file with the same version as it is found and fetched with', async () => {
    await store.put(`${prefix}a.ts`, 'one', { sha256: sha256('one') })
    const listed = (await list()).get('a.ts')
    const found = await source.find('a.ts', signal)
    const fetched = await source.fetch?.('a.ts', signal)
    expect(await text(fetched?.content)).toBe('one')
    expect([found?.version, fetched?.file.version]).toEqual([listed?.version, listed?.version])
    expect([found?.sha256, fetched?.file.sha256]).toEqual([sha256('one'), sha256('one')])
  })

  it('reads a listed file, and not one that was changed or removed since', async () => {
    await store.put(`${prefix}same.ts`, 'same')
    await store.put(`${prefix}changed.ts`, 'before')
    await store.put(`${prefix}gone.ts`, 'gone')
    const files = await list()
    await store.put(`${prefix}changed.ts`, 'after!')
    await store.remove(`${prefix}gone.ts`)
    const read = async (path: string) => text(await source.read(files.get(path) as SourceFile, signal))
    expect(await read('same.ts')).toBe('same')
    expect(await read('changed.ts')).toBeUndefined()
    expect(await read('gone.ts')).toBeUndefined()
  })

  it('neither finds nor fetches a file that is not there', async () => {
    expect(await source.find('nobody.ts', signal)).toBeUndefined()
    expect(await source.fetch?.('nobody.ts', signal)).toBeUndefined()
  })

  it('reads an empty file and one of several megabytes whole', async () => {
    const large = 'x'.repeat(5 * 1024 * 1024)
    await store.put(`${prefix}empty.ts`, '')
    await store.put(`${prefix}large.ts`, large)
    const files = await list()
    expect(await text(await source.read(files.get('empty.ts') as SourceFile, signal))).toBe('')
    expect(await text(await source.read(files.get('large.ts') as SourceFile, signal))).toBe(large)
  })

  it.each([0, 12, 9 * 1024 * 1024])('stores a file of %d bytes with its hash', async (size) => {
    const content = Buffer.alloc(size, 'y')
    const entry = { path: 'deep/w.txt', size, sha256: sha256(content.toString()) }
    const version = await source.write?.(
      entry,
      async function* () {
        yield content
      },
      signal,
    )
    expect(await source.find('deep/w.txt', signal)).toEqual({ ...entry, version })
  })

  it('removes a file, and one that is not there without complaint', async () => {
    await store.put(`${prefix}a.ts`, 'a')
    await source.remove?.('a.ts', signal)
    await source.remove?.('a.ts', signal)
    expect(await store.names(prefix)).toEqual([])
  })
})
