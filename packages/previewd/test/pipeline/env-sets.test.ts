import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Artifact } from '../../src/model/artifact.ts'
import { envSetArtifactId } from '../../src/model/env-set.ts'
import { openPipeline, type PipelineUnderTest } from './pipeline-under-test.ts'

const SCRIPT = 'mkdir dist && echo "$VITE_NAME" > dist/index.html'

let under: PipelineUnderTest
beforeAll(async () => {
  under = await openPipeline()
})
afterAll(async () => {
  expect(under.errors).toEqual([])
  await under.close()
  await rm(under.dataDir, { recursive: true, force: true })
})

const open = (id: string, name = 'qa') => under.pipeline.variants.envSet(id, name)

async function page(id: string): Promise<string> {
  const opened = await open(id)
  if (typeof opened !== 'object') throw new Error(String(opened))
  return (await (opened as Artifact).read('index.html')).toString().trim()
}

function put(id: string, value: string): void {
  under.pipeline.putProject(id, { buildCommand: SCRIPT, envSets: { qa: { env: { VITE_NAME: value } } } })
}

it('a set that was not built when the server ended is built when somebody asks for it', async () => {
  put('left', 'one')
  const { published } = await under.push('left', { 'a.txt': 'a' }, 'checked')
  const build = under.store.builds.get('left', published?.buildId ?? '')
  if (!build) throw new Error('no build')
  const { envSets: _, ...unknown } = build
  under.store.builds.update(unknown)
  const artifactId = envSetArtifactId(build.id, 'qa')
  // It is being compressed, or was.
  await under.artifacts.compress('left', artifactId)
  await under.artifacts.remove('left', artifactId)
  expect(await open('left')).toBe('building')
  await expect.poll(() => open('left'), { timeout: 60_000 }).toBeTypeOf('object')
  expect(await page('left')).toBe('one')
})

it('a set that fails keeps what the build before made of it', async () => {
  put('kept', 'one')
  await under.push('kept', { 'a.txt': 'a' }, 'checked')
  expect(await page('kept')).toBe('one')
  const command = `test "$VITE_NAME" != two && ${SCRIPT}`
  under.pipeline.putProject('kept', { buildCommand: command, envSets: { qa: { env: { VITE_NAME: 'two' } } } })
  const status = await under.push('kept', { 'a.txt': 'b' }, 'checked')
  expect(status).toMatchObject({ state: 'ready', build: { envSets: { qa: 'failed' } } })
  expect(status.diagnostics[0]?.message).toContain('With env set qa')
  expect(await page('kept')).toBe('one')
})

it('a set that the project does not have is none', async () => {
  put('other', 'one')
  expect(await open('other', 'staging')).toBeUndefined()
  expect(await open('nobody')).toBeUndefined()
  expect(await open('other', 'constructor')).toBeUndefined()
})
