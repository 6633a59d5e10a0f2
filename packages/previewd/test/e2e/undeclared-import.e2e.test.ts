import { expect, test } from 'vitest'
import { startDaemonUnderTest } from './daemon-under-test.ts'
import { startLayeredRegistry } from './layered-registry.ts'
import { sampleProject } from './sample-project.ts'

const PACKAGES = [
  {
    name: 'fixture-leaf',
    version: '1.2.0',
    files: { 'index.js': "export const leaf = 'a leaf nobody declared'" },
  },
  {
    name: 'fixture-forgetful',
    version: '1.0.0',
    // package.json of this one has no dependencies.
    files: { 'index.js': "import { leaf } from 'fixture-leaf'\nexport const found = () => leaf" },
  },
].map((one) => ({ ...one, manifest: { type: 'module' } }))

test('a package that imports what it does not declare finds what the project has', async () => {
  await using registry = await startLayeredRegistry(PACKAGES)
  await using daemon = await startDaemonUnderTest({ PREVIEWD_REGISTRY: registry.url })
  const { client } = daemon
  const answer = await client.push('forgetful', {
    ...sampleProject('forgetful'),
    'package.json': JSON.stringify({
      type: 'module',
      scripts: { build: 'vite build' },
      dependencies: { 'fixture-forgetful': '^1.0.0', 'fixture-leaf': '^1.0.0' },
      devDependencies: { vite: '^8.3.0' },
    }),
    'src/main.js':
      "import { found } from 'fixture-forgetful'\ndocument.querySelector('#root').textContent = found()\n",
    // The same in Node, where a configuration is loaded.
    'vite.config.js':
      "import { found } from 'fixture-forgetful'\nconsole.log('config found', found())\nexport default {}\n",
  })
  expect(answer.status).toMatchObject({ state: 'ready', diagnostics: [] })
  expect(await client.log('forgetful')).toContain('config found a leaf nobody declared')
  const script = /src="(\/assets\/[^"]+)"/.exec((await client.preview('forgetful')).text)?.[1] ?? ''
  expect((await client.preview('forgetful', script)).text).toContain('a leaf nobody declared')
})
