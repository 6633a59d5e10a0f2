import { describe, expect, it } from 'vitest'
import { planBuild } from '../../src/build/plan.ts'
import { explainMissingIndex, serverRendered } from '../../src/build/server-rendered.ts'
import { outputFolders } from '../../src/build/steps.ts'
import { fromToolError } from '../../src/build/tool-error.ts'
import { memorySnapshot } from './memory-snapshot.ts'

function plan(
  dependency: string,
  settings: { outputDir?: string } = {},
  scripts: ReadonlyMap<string, string> = new Map([['build', 'vite build']]),
) {
  const packageJson = { path: 'web/package.json', scripts, dependencies: new Set(['vite', dependency]) }
  const planned = planBuild({ kind: 'vite', root: 'web', packageJson }, { env: {}, ...settings })
  if (planned.kind === 'static') throw new Error('not a plan of tasks')
  return planned
}

describe('builds of frameworks whose pages a server renders', () => {
  it.each([
    ['@tanstack/react-start', ['/app/web/.output/public', '/app/web/dist/client']],
    ['@react-router/dev', ['/app/web/build/client']],
    ['@remix-run/dev', ['/app/web/build/client']],
    ['@sveltejs/kit', ['/app/web/build']],
    ['astro', ['/app/web/dist/client', '/app/web/dist']],
    ['nuxt', ['/app/web/.output/public']],
  ])('the site of %s is what it prerendered, not the code of its server', (dependency, folders) => {
    const resolvedByVite = '/app/web/.svelte-kit/output/server'
    expect(outputFolders(plan(dependency), resolvedByVite, memorySnapshot({}))).toEqual(folders)
  })

  it.each([
    ['@tanstack/react-start', { kind: 'vite-build' }],
    ['@react-router/dev', { kind: 'shell', command: 'react-router build' }],
    ['@remix-run/dev', { kind: 'shell', command: 'remix vite:build' }],
    ['astro', { kind: 'shell', command: 'astro build' }],
    ['nuxt', { kind: 'shell', command: 'nuxt build' }],
  ])('%s without a build script is built by its own command', (dependency, step) => {
    expect(plan(dependency, {}, new Map()).steps).toMatchObject([step])
  })

  it('an output folder of the settings comes first, and pages are not asked for', () => {
    const planned = plan('@sveltejs/kit', { outputDir: 'www' })
    expect(planned.serverFramework).toBeUndefined()
    expect(outputFolders(planned, undefined, memorySnapshot({}))).toEqual(['/app/web/www'])
  })

  it('a Vite that looked for an index.html points to the plugin and the version of Vite', () => {
    const place = { files: memorySnapshot({}).files, root: '' }
    const found = fromToolError({ message: 'Could not resolve entry module "index.html".' }, place)
    expect(explainMissingIndex(found, undefined)).toMatchObject([{ code: 'INDEX_HTML_MISSING' }])
    expect(explainMissingIndex(found, plan('@tanstack/react-start').serverFramework)).toMatchObject([
      { code: 'FRAMEWORK_MISMATCH', hint: expect.stringContaining('Vite 8') },
    ])
  })

  it('other projects need no server', () => {
    expect(plan('react').serverFramework).toBeUndefined()
  })

  it('a build without a page names the framework and points to a live session', () => {
    const framework = plan('@react-router/dev').serverFramework
    expect(framework && serverRendered(framework)).toMatchObject({
      origin: 'build',
      severity: 'error',
      code: 'SERVER_RENDERED',
      message: expect.stringContaining('React Router'),
      hint: expect.stringContaining('live session'),
    })
  })
})
