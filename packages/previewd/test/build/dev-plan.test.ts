import { describe, expect, it } from 'vitest'
import { planDev } from '../../src/build/dev-plan.ts'
import { DEFAULT_SETTINGS, type ProjectSettings } from '../../src/model/project.ts'
import { memorySnapshot } from './memory-snapshot.ts'

const plan = (
  files: Record<string, string>,
  settings: Partial<ProjectSettings> = {},
  allowedEnv: string[] = [],
) =>
  planDev(
    memorySnapshot(files),
    { ...DEFAULT_SETTINGS, ...settings },
    { allowedEnv, nodes: { own: 24, others: [20, 22] } },
  )
const manifest = (scripts: Record<string, string>, devDependencies: Record<string, string> = { vite: '*' }) =>
  JSON.stringify({ scripts, devDependencies })

describe('a plan of what serves a project while it is edited', () => {
  it('is the Vite of its root, with the variables that builds get', async () => {
    const files = { 'web/package.json': manifest({ dev: 'vite' }), 'web/index.html': '' }
    const env = { VITE_A: '1', SECRET: '2', ALLOWED: '3' }
    expect(await plan(files, { root: 'web', env }, ['ALLOWED'])).toEqual({
      root: 'web',
      task: { kind: 'vite-dev', root: '/app/web', env: { VITE_A: '1', ALLOWED: '3' } },
    })
  })

  it("names another Node than the server's own where the project asks for it", async () => {
    const files = { 'package.json': manifest({ dev: 'vite' }), 'index.html': '', '.nvmrc': 'v20.11.0\n' }
    expect(await plan(files)).toMatchObject({ node: { major: 20, isRequired: false } })
    expect(await plan(files, { nodeVersion: '22' })).toMatchObject({ node: { major: 22, isRequired: true } })
    expect(await plan({ ...files, '.nvmrc': 'lts/*' })).not.toHaveProperty('node')
  })

  it('is in the mode of the settings', async () => {
    const files = { 'package.json': manifest({ dev: 'vite' }), 'index.html': '' }
    expect(await plan(files, { mode: 'staging' })).toMatchObject({ task: { mode: 'staging' } })
    expect((await plan(files, { mode: '' })) as object).not.toHaveProperty('task.mode')
  })

  it.each([
    ['astro', 'astro dev'],
    ['astro', 'npx astro dev --host'],
    ['astro', 'astro'],
    ['nuxt', 'nuxt dev'],
    ['nuxt', 'nuxi dev'],
  ] as const)('is a framework that starts Vite itself: %s by %s', async (framework, dev) => {
    const files = { 'package.json': manifest({ dev, build: 'x build' }, {}) }
    const task = { kind: 'vite-dev', framework, root: '/app', env: {} }
    expect(await plan(files)).toEqual({ root: '', task })
  })

  it.each([
    ['astro', {}],
    ['nuxt', { generate: 'nuxt generate' }],
    ['nuxt', { dev: 'NODE_OPTIONS=--no-warnings nuxt dev' }],
  ])('is %s by its dependency where no script says how it is served: %j', async (framework, scripts) => {
    const files = { 'package.json': manifest(scripts, { [framework]: '*' }) }
    expect(await plan(files)).toMatchObject({ task: { kind: 'vite-dev', framework } })
  })

  it('is Vite where the dev script says so, whatever else is installed', async () => {
    const files = { 'package.json': manifest({ dev: 'vite' }, { vite: '*', astro: '*' }), 'index.html': '' }
    expect((await plan(files)) as object).not.toHaveProperty('task.framework')
  })

  it('takes a script of any other name for none', async () => {
    const files = { 'package.json': manifest({ dev: 'constructor dev' }), 'index.html': '' }
    expect(await plan(files)).toMatchObject({ task: { kind: 'vite-dev' } })
  })

  it.each([
    ['plain files', { 'index.html': '' }, /Plain files/],
    ['a command without Vite', { 'package.json': manifest({ build: 'make' }, {}) }, /neither Vite/],
    ['nothing', {}, /no files/],
  ])('says why there is none for %s', async (_name, files, reason) => {
    expect(await plan(files as Record<string, string>)).toEqual({
      unavailable: expect.stringMatching(reason),
    })
  })
})
