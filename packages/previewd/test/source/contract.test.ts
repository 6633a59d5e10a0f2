import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { resolveConfig } from '../../src/config.ts'
import { DEFAULT_SETTINGS } from '../../src/model/project.ts'
import type { Source, SourceFile, Sources } from '../../src/model/source.ts'
import { createSources } from '../../src/source/sources.ts'
import { PLACES, type PlaceUnderTest } from './places-under-test.ts'
import { INSTALL_TIMEOUT_MS } from './server-packages.ts'

const signal = new AbortController().signal
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

describe.each(Object.entries(PLACES))('a source of %s', (_, start) => {
  let place: PlaceUnderTest
  let sources: Sources
  let source: Source
  let project = 0
  let prefix: string

  beforeAll(async () => {
    place = await start()
    sources = createSources(
      resolveConfig({ PREVIEWD_REGISTRY: 'http://registry.invalid/', ...place.environment() }),
      place.sandbox,
    )
  }, INSTALL_TIMEOUT_MS)
  afterAll(async () => {
    await sources[Symbol.asyncDispose]()
    await place[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    prefix = `p${++project}/frontend/`
    await place.put(`${prefix}always.txt`, '')
    await open()
  })
  afterEach(() => source[Symbol.asyncDispose]())

  /** As each sync does: a source may stay what it was when it was first read. */
  async function open(): Promise<void> {
    await place.settle?.()
    const id = `p${project}`
    const settings = sources.resolve(place.sourceAt(prefix), { id, isTrusted: place.isTrusted })
    source = await sources.open({
      id,
      settings: { ...DEFAULT_SETTINGS, source: settings },
      revision: 0,
      createdAt: '',
      activeAt: '',
    })
  }

  async function reopen(): Promise<void> {
    await source[Symbol.asyncDispose]()
    await open()
  }

  async function list(): Promise<Map<string, SourceFile>> {
    const files = await Array.fromAsync(source.list(signal))
    return new Map(files.map((file) => [file.path, file]))
  }

  async function text(content: AsyncIterable<Buffer> | undefined): Promise<string | undefined> {
    return content && Buffer.concat(await Array.fromAsync(content)).toString()
  }

  it('lists the files of its project by paths below its prefix, with sizes', async () => {
    await place.put(`${prefix}index.html`, '<h1>hello</h1>')
    await place.put(`${prefix}src/a b/ü+%20.ts`, 'export {}')
    await place.put(`p${project}0/frontend/other.ts`, 'not of this project')
    await reopen()
    const files = await list()
    expect([...files.keys()].toSorted()).toEqual(['always.txt', 'index.html', 'src/a b/ü+%20.ts'])
    expect(files.get('index.html')?.size).toBe(14)
  })

  it('lists more files than fit into one page', async () => {
    const names = Array.from({ length: 1100 }, (_, at) => `${prefix}f${at}.ts`)
    await Promise.all(names.map((name) => place.put(name, '')))
    await reopen()
    expect((await list()).size).toBe(1101)
  })

  it('gives another version to other content', async () => {
    await place.put(`${prefix}a.ts`, 'one')
    await reopen()
    const before = await source.find('a.ts', signal)
    await place.put(`${prefix}a.ts`, 'two')
    await reopen()
    expect(before).toBeDefined()
    expect((await source.find('a.ts', signal))?.version).not.toBe(before?.version)
  })

  it('lists a file with the same version as it is found and fetched with', async () => {
    await place.put(`${prefix}a.ts`, 'one', { sha256: sha256('one') })
    await reopen()
    const listed = (await list()).get('a.ts')
    const found = await source.find('a.ts', signal)
    expect(found).toMatchObject({ path: 'a.ts', size: 3, version: listed?.version })
    if (place.keepsHashes) expect(found?.sha256).toBe(sha256('one'))
    if (source.fetch === undefined) return
    const fetched = await source.fetch('a.ts', signal)
    expect(await text(fetched?.content)).toBe('one')
    expect(fetched?.file).toEqual(found)
  })

  it('reads a listed file, and not one that was changed or removed since', async () => {
    await place.put(`${prefix}same.ts`, 'same')
    await place.put(`${prefix}changed.ts`, 'before')
    await place.put(`${prefix}gone.ts`, 'gone')
    await reopen()
    const files = await list()
    await place.put(`${prefix}changed.ts`, 'after!')
    await place.remove(`${prefix}gone.ts`)
    await reopen()
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
    await place.put(`${prefix}empty.ts`, '')
    await place.put(`${prefix}large.ts`, large)
    await reopen()
    const files = await list()
    expect(await text(await source.read(files.get('empty.ts') as SourceFile, signal))).toBe('')
    expect(await text(await source.read(files.get('large.ts') as SourceFile, signal))).toBe(large)
  })

  it.for([0, 12, 9 * 1024 * 1024])(
    'stores a file of %d bytes with its hash, where it is written',
    async (size, { skip }) => {
      if (source.write === undefined) return skip()
      const content = Buffer.alloc(size, 'y')
      const entry = { path: 'deep/w.txt', size, sha256: sha256(content.toString()) }
      const version = await source.write(
        entry,
        async function* () {
          yield content
        },
        signal,
      )
      expect(await source.find('deep/w.txt', signal)).toEqual({ ...entry, version })
    },
  )

  it('removes a file, and one that is not there without complaint, where it is written', async ({ skip }) => {
    if (source.remove === undefined) return skip()
    await place.put(`${prefix}a.ts`, 'a')
    await source.remove('a.ts', signal)
    await source.remove('a.ts', signal)
    expect(await place.names?.(prefix)).toEqual([`${prefix}always.txt`])
  })
})
