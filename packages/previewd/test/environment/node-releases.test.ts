import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { NodeReleases } from '../../src/environment/node-releases.ts'
import { RegistryClient } from '../../src/environment/registry-client.ts'
import { type FixturePackage, type FixtureRegistry, startFixtureRegistry } from './fixture-registry.ts'

const NAME = `node-linux-${process.arch}`
const DAY_MS = 24 * 60 * 60 * 1000

let dir: string
let registry: FixtureRegistry
let client: RegistryClient
let nowMs: number

const release = (version: string, more: Partial<FixturePackage> = {}): FixturePackage => ({
  name: NAME,
  version,
  files: { 'bin/node': `#!/bin/sh\necho ${version}\n`, 'bin/other': 'x' },
  ...more,
})

async function start(packages: FixturePackage[]): Promise<void> {
  registry = await startFixtureRegistry({ packages })
  client = new RegistryClient({
    registry: new URL(registry.url),
    answerTimeoutMs: 5_000,
    transferTimeoutMs: 5_000,
    stallTimeoutMs: 5_000,
  })
}

const open = (minimumReleaseAgeMinutes = 0) =>
  new NodeReleases({ dir, client, minimumReleaseAgeMinutes, now: () => nowMs })

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'nodes-'))
  nowMs = Date.now()
})
afterEach(async () => {
  client.close()
  await registry.close()
  await rm(dir, { recursive: true })
})

test('the newest release of a major is downloaded once, for all who ask', async () => {
  await start(['20.1.0', '20.10.0', '20.9.0', '20.11.0-rc.1', '22.1.0'].map((version) => release(version)))
  const releases = open()
  const [first, second] = await Promise.all([releases.get(20), releases.get(20)])
  expect(first).toEqual({ version: '20.10.0', path: join(dir, 'node-v20.10.0/node') })
  expect(second).toEqual(first)
  expect(await readFile(first.path, 'utf8')).toContain('echo 20.10.0')
  expect((await stat(first.path)).mode & 0o777).toBe(0o755)
  expect(await open().get(20)).toEqual(first)
  expect(registry.requests).toHaveLength(2)
  expect((await open().get(22)).version).toBe('22.1.0')
  expect((await readdir(dir)).sort()).toEqual(['node-v20.10.0', 'node-v22.1.0'])
})

test('a release that is younger than allowed is left out', async () => {
  const publishedAt = new Date(nowMs - DAY_MS).toISOString()
  await start([release('20.1.0'), release('20.2.0', { publishedAt })])
  expect((await open(2 * 24 * 60).get(20)).version).toBe('20.1.0')
})

test('what the registry does not vouch for, or vouches for otherwise, is not kept', async () => {
  await start([release('20.1.0', { defect: 'tampered' }), release('22.1.0', { defect: 'unsigned' })])
  await expect(open().get(20)).rejects.toThrow('20.1.0 is not what the registry vouches for')
  await expect(open().get(22)).rejects.toThrow('vouches for no content')
  expect(await readdir(dir)).toEqual([])
})

test('a major without a release, and a package without the program, are told', async () => {
  await start([release('20.1.0', { files: {} })])
  await expect(open().get(22)).rejects.toThrow('the registry has no release of it that may be used')
  await expect(open().get(20)).rejects.toThrow('its package has no package/bin/node')
})

test('a registry that failed is asked again after a while, and not by every build', async () => {
  await start([])
  const releases = open()
  await expect(releases.get(20)).rejects.toThrow('the registry answered 404')
  await registry.publish(release('20.1.0'))
  await expect(releases.get(20)).rejects.toThrow('the registry answered 404')
  nowMs += 60_000
  expect((await releases.get(20)).version).toBe('20.1.0')
})

test('a newer release takes the place of one that is a month old, where it can be had', async () => {
  await start([release('20.1.0')])
  const releases = open()
  const first = await releases.get(20)
  await registry.publish(release('20.2.0'))
  expect(await releases.get(20)).toEqual(first)
  nowMs += 31 * DAY_MS
  expect((await releases.get(20)).version).toBe('20.2.0')
  expect((await readdir(dir)).sort()).toEqual(['node-v20.1.0', 'node-v20.2.0'])
  await registry.publish(release('20.3.0', { defect: 'tampered' }))
  nowMs += 31 * DAY_MS
  expect((await releases.get(20)).version).toBe('20.2.0')
})

test('what a download that was interrupted left is no release, and does not stay', async () => {
  await start([release('20.1.0')])
  await mkdir(join(dir, '.node-abc'))
  await writeFile(join(dir, '.node-abc/node'), 'half')
  expect((await open().get(20)).version).toBe('20.1.0')
  expect(await readdir(dir)).toEqual(['node-v20.1.0'])
})
