import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DaemonUnderTest, startDaemonUnderTest } from './daemon-under-test.ts'
import { sampleProject } from './sample-project.ts'

let daemon: DaemonUnderTest
beforeAll(async () => {
  daemon = await startDaemonUnderTest()
})
afterAll(() => daemon[Symbol.asyncDispose]())

/** The script of the published page, which says what it was built with. */
async function builtScript(id: string): Promise<string> {
  const page = await daemon.client.preview(id, '/', { 'x-forwarded-for': '192.0.2.1' })
  const [, script = ''] = /src="(\/assets\/[^"]+)"/.exec(page.text) ?? []
  return (await daemon.client.preview(id, script)).text
}

test('a project is built and served in its own mode, with the variables of that mode', async () => {
  const { client } = daemon
  const files = {
    ...sampleProject(''),
    'src/main.js': "document.title = 'mode ' + import.meta.env.MODE + ' of ' + import.meta.env.VITE_STAGE\n",
    '.env.staging': 'VITE_STAGE=stage\n',
    '.env.production': 'VITE_STAGE=live\n',
  }
  await client.push('modes', files)
  expect(await builtScript('modes')).toMatch(/mode production of live|production.*live/)
  expect(await client.settings('modes', { mode: 'staging' })).toBe(200)
  expect(await client.build('modes')).toEqual({ code: 200 })
  expect(await builtScript('modes')).toMatch(/mode staging of stage|staging.*stage/)

  await fetch(`${client.url}/v1/projects/modes/session`, { method: 'PUT' })
  await expect
    .poll(async () => (await client.status('modes')).session.state, { timeout: 60_000 })
    .toBe('live')
  expect((await client.preview('modes', '/src/main.js')).text).toContain('"MODE": "staging"')
})
