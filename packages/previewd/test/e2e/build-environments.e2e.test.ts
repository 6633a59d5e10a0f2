import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DaemonUnderTest, startDaemonUnderTest } from './daemon-under-test.ts'
import { sampleProject } from './sample-project.ts'

let daemon: DaemonUnderTest
beforeAll(async () => {
  daemon = await startDaemonUnderTest()
})
afterAll(() => daemon[Symbol.asyncDispose]())

/** The script of a published page, which says what it was built with. */
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
  await expect.poll(async () => (await client.status('modes')).session.state).toBe('live')
  expect((await client.preview('modes', '/src/main.js')).text).toContain('"MODE": "staging"')
})

const NODE_PROJECT = {
  ...sampleProject(''),
  'package.json': JSON.stringify({
    type: 'module',
    scripts: { build: 'node version.js && vite build' },
    devDependencies: { vite: '^8.3.0' },
  }),
  'version.js': `import { writeFileSync } from 'node:fs'
writeFileSync('src/script.js', 'export const script = ' + JSON.stringify('script ' + process.version))
`,
  'src/script.js': '',
  'src/main.js': "import { script } from './script.js'\ndocument.title = __NODE__ + script\n",
  'vite.config.js': `export default {
  define: { __NODE__: JSON.stringify('config ' + process.version) },
  plugins: [{ name: 'version', transformIndexHtml: () => [{ tag: 'meta', attrs: { content: process.version } }] }],
}
`,
}

test.each([20, 22])(
  'Node %i runs the configuration, the scripts and the session of a project that asks for it',
  async (major) => {
    const { client } = daemon
    const id = `node-${major}`
    expect(await client.settings(id, { nodeVersion: String(major) })).toBe(201)
    const pushed = await client.push(id, NODE_PROJECT)
    expect(pushed.status.diagnostics).toEqual([])
    const script = await builtScript(id)
    expect(script).toMatch(new RegExp(`config v${major}\\.`))
    expect(script).toMatch(new RegExp(`script v${major}\\.`))
    expect(await client.log(id)).toMatch(new RegExp(`^Node ${major}\\.`, 'm'))

    await fetch(`${client.url}/v1/projects/${id}/session`, { method: 'PUT' })
    await expect.poll(async () => (await client.status(id)).session.state).toBe('live')
    expect((await client.preview(id, '/')).text).toContain(`content="v${major}.`)
    const edit = await client.push(id, { 'src/main.js': "document.title = 'edited'\n" }, { wait: 'live' })
    expect(edit).toMatchObject({ code: 200, status: { session: { state: 'live', revision: 2 } } })
    expect((await client.preview(id, '/src/main.js')).text).toContain('edited')
  },
)

test('a Node that the server does not have is refused in the settings, and named where a file asks for it', async () => {
  const { client } = daemon
  expect(await client.settings('node-18', { nodeVersion: '18' })).toBe(422)
  const pushed = await client.push('node-18', { ...sampleProject('x'), '.nvmrc': '18' })
  expect(pushed.status).toMatchObject({ state: 'ready', diagnostics: [{ code: 'NODE_VERSION_NOT_OFFERED' }] })
})

const SECRETS = { base: 'value-of-the-base', staging: 'value-of-staging', qa: 'value-of-qa' }

test('env sets are built beside the project, and each has a preview of its own', async () => {
  const { client } = daemon
  const envSets = {
    staging: { env: { VITE_NAME: SECRETS.staging }, mode: 'staging' },
    qa: { env: { VITE_NAME: SECRETS.qa } },
    broken: { env: { VITE_FAIL: 'on-purpose' } },
  }
  expect(
    await client.settings('sets', { env: { VITE_NAME: SECRETS.base, VITE_SHARED: 'shared' }, envSets }),
  ).toBe(201)
  const pushed = await client.push('sets', {
    ...sampleProject(''),
    'src/main.js':
      'document.title = [import.meta.env.MODE, import.meta.env.VITE_NAME, import.meta.env.VITE_SHARED].join()\n',
    'vite.config.js': `if (process.env.VITE_FAIL) throw new Error('no ' + process.env.VITE_FAIL)
console.log('built with ' + process.env.VITE_NAME)
export default {}
`,
  })
  expect(pushed.status.urls.envSets).toMatchObject({
    staging: client.previewUrl('staging--sets'),
    qa: client.previewUrl('qa--sets'),
  })
  expect(await builtScript('sets')).toContain(SECRETS.base)
  await expect
    .poll(async () => (await client.status('sets')).build?.envSets)
    .toEqual({ staging: 'succeeded', qa: 'succeeded', broken: 'failed' })
  expect(await builtScript('staging--sets')).toContain(`staging,${SECRETS.staging},shared`)
  expect(await builtScript('qa--sets')).toContain(`production,${SECRETS.qa},shared`)
  expect((await client.preview('broken--sets', '/')).code).toBe(503)
  const { state, diagnostics } = await client.status('sets')
  expect(state).toBe('ready')
  expect(diagnostics.map(({ message }) => message)).toEqual([expect.stringMatching(/^With env set broken: /)])

  const log = await client.log('sets')
  expect(log.match(/built with \[redacted\]/g)).toHaveLength(3)
  for (const secret of Object.values(SECRETS)) expect(log).not.toContain(secret)
  expect(JSON.stringify(await client.status('sets'))).not.toContain('on-purpose')

  expect(await client.settings('sets', { envSets: { qa: { env: { VITE_NAME: 'another-value' } } } })).toBe(
    200,
  )
  expect(await client.build('sets')).toEqual({ code: 200 })
  await expect.poll(() => builtScript('qa--sets')).toContain('another-value')
  expect((await client.preview('staging--sets', '/')).code).toBe(404)
})

test('env sets of a command build hold nothing of the build before; plain files are the same in all', async () => {
  const { client } = daemon
  const envSets = { staging: { env: { VITE_NAME: 'two' } } }
  await client.settings('command', { env: { VITE_NAME: 'one' }, envSets })
  await client.push('command', {
    'package.json': JSON.stringify({ type: 'module', scripts: { build: 'node build.js' } }),
    'build.js': `import { mkdirSync, writeFileSync } from 'node:fs'
mkdirSync('dist', { recursive: true })
for (const name of ['index.html', process.env.VITE_NAME + '.txt']) writeFileSync('dist/' + name, process.env.VITE_NAME)
`,
  })
  await expect
    .poll(async () => (await client.status('command')).build?.envSets)
    .toEqual({ staging: 'succeeded' })
  expect((await client.preview('command', '/')).text).toContain('one')
  expect((await client.preview('staging--command', '/')).text).toBe('two')
  expect((await client.preview('staging--command', '/one.txt', { accept: 'text/plain' })).code).toBe(404)

  await client.settings('plain', { envSets })
  await client.push('plain', { 'index.html': 'plain' })
  expect((await client.status('plain')).build?.envSets).toEqual({ staging: 'same' })
  expect((await client.preview('staging--plain', '/')).text).toBe('plain')
})
