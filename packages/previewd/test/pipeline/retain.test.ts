import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createArtifacts, type DiskArtifacts } from '../../src/artifact/artifacts.ts'
import type { Artifacts } from '../../src/model/artifact.ts'
import { publishBuild } from '../../src/pipeline/publish.ts'
import { retain } from '../../src/pipeline/retain.ts'
import { openStore, type Store } from '../../src/store/open-store.ts'
import { LIMITS } from '../store/limits.ts'

const PROJECT = 'demo'
/** From the oldest to the newest, which is the published one and the only one that is kept. */
const [FIRST, SECOND, NEWEST] = ['first0000000', 'second000000', 'newest000000'] as const

let dataDir: string
let store: Store
let artifacts: DiskArtifacts
let removing: Set<string>

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'previewd-retain-'))
  store = await openStore({ dataDir, limits: LIMITS, mirror: false })
  artifacts = createArtifacts({ dataDir, cacheBytes: 1024 })
  removing = new Set()
  store.projects.put(PROJECT, {})
  for (const [index, id] of [FIRST, SECOND, NEWEST].entries()) await addBuild(id, index + 1)
  await publish(NEWEST)
})

afterEach(async () => {
  artifacts.close()
  await store.close()
  await rm(dataDir, { recursive: true })
})

async function addBuild(id: string, revision: number): Promise<void> {
  const writer = await artifacts.create(PROJECT, id)
  await writer.add('index.html', Buffer.from(id))
  await writer.seal()
  const queuedAt = new Date(revision).toISOString()
  store.builds.insert({
    id,
    project: PROJECT,
    revision,
    state: 'succeeded',
    queuedAt,
    diagnostics: [],
    timings: {},
  })
}

/** The real artifacts, with something that happens before each removal or opening. */
function observed(before: { removal?: () => Promise<void>; opening?: () => Promise<void> }): Artifacts {
  return {
    create: (...build) => artifacts.create(...build),
    compress: (...build) => artifacts.compress(...build),
    async open(...build) {
      await before.opening?.()
      return artifacts.open(...build)
    },
    async remove(...build) {
      await before.removal?.()
      await artifacts.remove(...build)
    },
  }
}

const retainOne = (of: Artifacts = artifacts) =>
  retain({ ...store, artifacts: of, removing }, PROJECT, 1, Date.now())
const publish = (id: string, of: Artifacts = artifacts) =>
  publishBuild({ ...store, artifacts: of, removing }, PROJECT, id)
const listed = () => store.builds.list(PROJECT, { limit: 10 }).items.map(({ id }) => id)

it('keeps the newest builds and the published one, however old that is', async () => {
  await publish(FIRST)
  await retainOne()
  expect(listed()).toEqual([NEWEST, FIRST])
  await expect(artifacts.open(PROJECT, SECOND)).rejects.toMatchObject({ code: 'BUILD_NOT_FOUND' })
})

it('leaves a build alone that is published while others are removed', async () => {
  let published: Promise<void> | undefined
  const removal = () => {
    published ??= publish(FIRST)
    return published
  }
  await retainOne(observed({ removal }))
  expect(listed()).toEqual([NEWEST, FIRST])
  const { published: shown } = store.projects.get(PROJECT) ?? {}
  expect(shown).toEqual({ buildId: FIRST, revision: 1 })
  expect(String(await (await artifacts.open(PROJECT, FIRST)).read('index.html'))).toBe(FIRST)
})

it('does not let a build be published that is being removed', async () => {
  let refused: Promise<unknown> | undefined
  const removal = async () => {
    refused ??= publish(SECOND).catch((error: unknown) => error)
    await refused
  }
  await retainOne(observed({ removal }))
  expect(await refused).toMatchObject({ code: 'BUILD_NOT_FOUND' })
  expect(listed()).toEqual([NEWEST])
  expect(store.projects.get(PROJECT)?.published?.buildId).toBe(NEWEST)
})

it('does not let a build be published whose removal begins, or ends, while its files are opened', async () => {
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const removal = () => {
    begun.resolve()
    return goOn.promise
  }
  let retained: Promise<void> | undefined
  const opening = () => {
    retained = retainOne(observed({ removal }))
    return begun.promise
  }
  await expect(publish(SECOND, observed({ opening }))).rejects.toMatchObject({ code: 'BUILD_NOT_FOUND' })
  goOn.resolve()
  await retained
  await addBuild(SECOND, 4)
  await addBuild('newer0000000', 5)
  await expect(publish(SECOND, observed({ opening: () => retainOne() }))).rejects.toMatchObject({
    code: 'BUILD_NOT_FOUND',
  })
  expect(store.projects.get(PROJECT)?.published?.buildId).toBe(NEWEST)
})

it('removes the next time what it was ended in the middle of', async () => {
  let removals = 0
  const removal = async () => {
    if (++removals === 2) throw new Error('the server was killed')
  }
  await expect(retainOne(observed({ removal }))).rejects.toThrow('killed')
  await expect(publish(SECOND)).rejects.toMatchObject({ code: 'BUILD_NOT_FOUND' })
  removing = new Set()
  expect(listed()).toEqual([NEWEST, SECOND, FIRST])
  await expect(publish(SECOND)).rejects.toMatchObject({ code: 'BUILD_NOT_PUBLISHABLE' })
  await retainOne()
  expect(listed()).toEqual([NEWEST])
  expect(removing.size).toBe(0)
})
