import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DaemonUnderTest, startDaemonUnderTest } from '../e2e/daemon-under-test.ts'
import { commandLineForTests } from './command-line-for-tests.ts'
import { projectFolder } from './project-folder.ts'

let daemon: DaemonUnderTest

beforeAll(async () => {
  daemon = await startDaemonUnderTest()
})
afterAll(() => daemon[Symbol.asyncDispose]())

const previewd = (...args: string[]) => commandLineForTests(daemon.client.url).run(...args)
const site = { 'index.html': '<h1>Hello</h1>', 'style.css': 'h1 { color: teal }' }

test('push sends a folder, waits for the build and prints the address', async () => {
  await using folder = await projectFolder(site)
  const { code, out, err } = await previewd('push', folder.path, '--project', 'pushed', '--wait')
  expect(err).toContain('Sending 2 files')
  expect(out).toMatch(/built in .*2 files/)
  expect(out).toContain(daemon.client.previewUrl('pushed'))
  expect(code).toBe(0)
  expect((await daemon.client.preview('pushed')).text).toContain('Hello')
})

test('push without --wait prints the revision and what changed', async () => {
  await using folder = await projectFolder(site)
  await previewd('push', folder.path, '--project', 'twice')
  await writeFile(join(folder.path, 'style.css'), 'h1 { color: tomato }')
  const { out } = await previewd('push', folder.path, '--project', 'twice')
  expect(out).toContain('revision 2: 1 changed, 1 unchanged')
})

test('push --replace deletes what the folder does not have, push alone keeps it', async () => {
  await using folder = await projectFolder(site)
  await previewd('push', folder.path, '--project', 'replaced')
  await rm(join(folder.path, 'style.css'))
  const kept = await previewd('push', folder.path, '--project', 'replaced', '--json')
  expect(JSON.parse(kept.out)).toMatchObject({ revision: 1, changed: [] })
  const replaced = await previewd('push', folder.path, '--project', 'replaced', '--replace', '--json')
  expect(JSON.parse(replaced.out)).toMatchObject({
    revision: 2,
    changed: [{ path: 'style.css', kind: 'deleted' }],
  })
})

test("push takes the project's id from the folder's name where it makes one", async () => {
  await using folder = await projectFolder({ 'My Site_2/index.html': '<p>named</p>' })
  const { code, out } = await previewd('push', join(folder.path, 'My Site_2'), '--wait')
  expect(out).toContain('my-site-2.localhost')
  expect(code).toBe(0)
})

test('push of a project that does not build prints why and ends with 1; --json has the whole status', async () => {
  await using folder = await projectFolder({ 'package.json': '{ "name": ', 'index.html': '' })
  const { code, out } = await previewd('push', folder.path, '--project', 'broken', '--wait')
  expect(out).toContain('error')
  expect(out).toContain('package.json')
  expect(out).toContain('✗ build failed')
  expect(code).toBe(1)
  const again = await previewd('push', folder.path, '--project', 'broken', '--wait', '--json')
  expect(JSON.parse(again.out)).toMatchObject({ state: 'error', build: { state: 'failed' } })
  expect(again).toMatchObject({ code: 1, err: '' })
})

test('status, build, logs and ls show a project', async () => {
  await using folder = await projectFolder(site)
  await previewd('push', folder.path, '--project', 'shown', '--wait')
  expect((await previewd('status', 'shown')).out).toMatch(/state\s+ready/)
  expect(JSON.parse((await previewd('status', 'shown', '--json')).out)).toMatchObject({ state: 'ready' })
  expect(await previewd('build', 'shown', '--force')).toMatchObject({ code: 0 })
  expect(await previewd('logs', 'shown')).toMatchObject({ code: 0, err: '' })
  expect(await previewd('logs', 'shown', '-f')).toMatchObject({ code: 0, err: '' })
  expect(JSON.parse((await previewd('logs', 'shown', '--json')).out)).toHaveProperty('lines')
  expect((await previewd('ls')).out).toMatch(/shown\s+ready\s+1/)
  expect(JSON.parse((await previewd('ls', '--json')).out)).toHaveProperty('items')
})

test('rm deletes projects; another look at one is refused with its code', async () => {
  await using folder = await projectFolder(site)
  await previewd('push', folder.path, '--project', 'gone', '--wait')
  expect(await previewd('rm', 'gone')).toMatchObject({ code: 0, out: 'deleted gone\n' })
  const { code, err } = await previewd('status', 'gone')
  expect(code).toBe(4)
  expect(err).toContain('[PROJECT_NOT_FOUND]')
})

test('keys are made, listed and deleted; the key itself is printed alone', async () => {
  const made = await previewd('keys', 'create', 'ci', '--scope', 'project', '--project', 'shown')
  expect(made.out.trim()).toMatch(/^\S{20,}$/)
  const listed = await previewd('keys', 'ls')
  expect(listed.out).toContain('project shown')
  expect(listed.out).not.toContain(made.out.trim())
  const { items } = JSON.parse((await previewd('keys', 'ls', '--json')).out) as { items: { id: string }[] }
  const id = items[0]?.id ?? ''
  expect(await previewd('keys', 'rm', id)).toMatchObject({ code: 0 })
  expect((await previewd('keys', 'rm', id)).err).toContain('[KEY_NOT_FOUND]')
})
