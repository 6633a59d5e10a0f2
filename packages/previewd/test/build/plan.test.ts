import { describe, expect, it } from 'vitest'
import { modeWarnings, planBuild, planWithBase } from '../../src/build/plan.ts'

function plan(
  scripts: Record<string, string>,
  settings: { buildCommand?: string; outputDir?: string; mode?: string } = {},
  root = '',
) {
  const packageJson = {
    path: 'package.json',
    scripts: new Map(Object.entries(scripts)),
    dependencies: new Set(['vite']),
  }
  const planned = planBuild({ kind: 'vite', root, packageJson }, { env: {}, ...settings })
  if (planned.kind === 'static') throw new Error('not a plan of tasks')
  return planned
}

function summary(scripts: Record<string, string>, settings: { buildCommand?: string; mode?: string } = {}) {
  const { steps, checks } = plan(scripts, settings)
  const text = (task: (typeof steps)[number]) =>
    task.kind === 'vite-build' ? { vite: task.options } : task.kind === 'shell' ? task.command : task.kind
  return { steps: steps.map(text), checks: checks.map(text) }
}

describe('planBuild', () => {
  it.each([
    ['vite build', [{ vite: {} }], []],
    ['tsc -b && vite build', [{ vite: {} }], ['tsc -b']],
    ['tsc && vite build', [{ vite: {} }], ['tsc']],
    [
      'tsc --noEmit -p tsconfig.app.json && vite build',
      [{ vite: {} }],
      ['tsc --noEmit -p tsconfig.app.json'],
    ],
    ['vue-tsc -b && vite build', [{ vite: {} }], ['vue-tsc -b']],
    [
      'svelte-check --tsconfig ./tsconfig.json && vite build',
      [{ vite: {} }],
      ['svelte-check --tsconfig ./tsconfig.json'],
    ],
    ['npx tsc && npx vite build', [{ vite: {} }], ['tsc']],
    ['vite build --mode staging', [{ vite: { mode: 'staging' } }], []],
    ['vite build --base=/x/ --outDir out', [{ vite: { base: '/x/', outDir: 'out' } }], []],
    ['vite build -c my.config.ts', [{ vite: { configFile: '/app/my.config.ts' } }], []],
    ['vite build --minify false --sourcemap', [{ vite: { minify: false, sourcemap: true } }], []],
    ['vite build --emptyOutDir', [{ vite: {} }], []],
    ["vite build --mode 'my mode'", [{ vite: { mode: 'my mode' } }], []],
    ['node gen.js && vite build && node post.js', ['node gen.js', { vite: {} }, 'node post.js'], []],
  ])('reads "%s"', (script, steps, checks) => {
    expect(summary({ build: script })).toEqual({ steps, checks })
  })

  it.each([
    'vite build --ssr src/entry.ts',
    'vite build && vite build --ssr src/entry.ts',
    'NODE_ENV=production vite build',
    'vite build $FLAGS',
    'astro build',
    'tsc -b',
  ])('runs what it does not know as written: "%s"', (script) => {
    const { steps, checks } = summary({ build: script })
    expect(steps.join(' && ')).toBe(script)
    expect(checks).toEqual([])
  })

  it.each([
    'vite build | tee log',
    'cd web && vite build',
    'vite build; echo done',
    '(vite build)',
    'a || b',
    "echo '",
  ])('leaves a script that needs a shell whole: "%s"', (script) => {
    expect(summary({ build: script }).steps).toEqual([script])
  })

  it('does not take a tsc that writes files for a check', () => {
    expect(summary({ build: 'tsc --outDir lib && vite build' }).steps).toEqual([
      'tsc --outDir lib',
      { vite: {} },
    ])
  })

  it('runs pre and post scripts around the build', () => {
    const scripts = { prebuild: 'node pre.js', build: 'vite build', postbuild: 'node post.js' }
    expect(summary(scripts).steps).toEqual(['node pre.js', { vite: {} }, 'node post.js'])
  })

  it('puts scripts that are named by npm run, pnpm, yarn and bun in their place', () => {
    const scripts = {
      build: 'npm run types && pnpm gen && yarn build:web',
      types: 'tsc --noEmit',
      gen: 'node gen.js',
      'build:web': 'bun run inner',
      inner: 'vite build',
    }
    expect(summary(scripts)).toEqual({ steps: ['node gen.js', { vite: {} }], checks: ['tsc --noEmit'] })
  })

  it('ends at scripts that name one another in a circle', () => {
    const { steps } = summary({ build: 'npm run b', b: 'npm run build' })
    expect(steps).toEqual(['npm run b'])
  })

  it('reads the build command of the settings like a script', () => {
    expect(summary({ build: 'tsc && vite build' }, { buildCommand: 'npm run build' })).toEqual({
      steps: [{ vite: {} }],
      checks: ['tsc'],
    })
  })

  it('builds a Vite project without a build script with Vite', () => {
    expect(summary({}).steps).toEqual([{ vite: {} }])
  })

  it.each([
    ['vite build', { vite: { mode: 'staging' } }],
    ['vite build --mode production', { vite: { mode: 'staging' } }],
    ['vite build --ssr a.ts', 'vite build --ssr a.ts --mode staging'],
  ])('builds "%s" in the mode of the settings', (build, step) => {
    expect(summary({ build }, { mode: 'staging' }).steps).toEqual([step])
    expect(modeWarnings(plan({ build }, { mode: 'staging' }), { mode: 'staging' })).toEqual([])
  })

  it('says where nothing can be told the mode of the settings', () => {
    for (const build of ['astro build', 'NODE_ENV=test vite build']) {
      const planned = plan({ build }, { mode: 'staging' })
      expect(planned.steps).toMatchObject([{ command: build }])
      expect(modeWarnings(planned, { mode: 'staging' })).toMatchObject([{ code: 'MODE_NOT_APPLIED' }])
    }
    expect(summary({ build: 'vite build' }, { mode: '' }).steps).toEqual([{ vite: {} }])
    expect(modeWarnings(plan({ build: 'astro build' }), {})).toEqual([])
  })

  it('works in the root folder, and looks for the output below it', () => {
    const planned = plan({ build: 'vite build' }, { outputDir: 'www' }, 'web')
    expect(planned.steps[0]).toMatchObject({ root: '/app/web' })
    expect(planned.outputDir).toBe('/app/web/www')
  })

  it('lets only VITE_ variables and allowed names into the build', () => {
    const shape = { kind: 'vite' as const, root: '', packageJson: null }
    const settings = { env: { VITE_A: '1', SECRET: '2', PUBLIC_B: '3' } }
    const planned = planBuild(shape, settings, ['PUBLIC_B'])
    expect(planned).toMatchObject({ steps: [{ env: { VITE_A: '1', PUBLIC_B: '3' } }] })
    expect(JSON.stringify(planned)).not.toContain('SECRET')
  })

  it('builds the same below another base, without the checks', () => {
    const planned = planWithBase(plan({ build: 'tsc && vite build --base /a/' }), '/preview/demo/')
    expect(planned).toMatchObject({ steps: [{ options: { base: '/preview/demo/' } }], checks: [] })
  })
})

it('gives up on scripts that multiply', () => {
  const many = Array.from({ length: 500 }, () => 'npm run b').join(' && ')
  const planned = plan({ build: many, b: many })
  expect(planned.steps.length).toBeLessThan(100_000)
})
