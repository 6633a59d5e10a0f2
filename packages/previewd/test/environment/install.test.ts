import { beforeAll, describe, expect, test } from 'vitest'
import { type Bench, openBench } from './environment-bench.ts'

const PACKAGES = [
  { name: 'leaf', version: '1.0.0' },
  { name: 'leaf', version: '1.1.0' },
  { name: 'leaf', version: '2.0.0' },
  { name: 'twig', version: '1.0.0', dependencies: { leaf: '^1.0.0' } },
  {
    name: 'tool',
    version: '2.1.0',
    dependencies: { leaf: '^1.0.0' },
    bin: { tool: 'cli.js' },
    files: { 'cli.js': '#!/usr/bin/env node\nconsole.log("leaf", require("leaf"))' },
  },
  // It imports what it does not declare, as packages on real registries do.
  { name: 'phantom', version: '1.0.0', files: { 'index.js': 'module.exports = require("leaf")' } },
  { name: '@scope/part', version: '1.0.0', peerDependencies: { leaf: '*' } },
  {
    name: 'scripted',
    version: '1.0.0',
    manifest: { scripts: { postinstall: "node -e \"require('fs').writeFileSync('ran','')\"" } },
  },
  {
    name: 'native',
    version: '1.0.0',
    optionalDependencies: { 'native-linux': '1.0.0', 'native-win32': '1.0.0' },
  },
  { name: 'native-linux', version: '1.0.0', manifest: { os: ['linux'] } },
  { name: 'native-win32', version: '1.0.0', manifest: { os: ['win32'] } },
]

let bench: Bench
beforeAll(async () => {
  const opened = await openBench({ packages: PACKAGES })
  bench = opened.bench
  return opened.close
})

const pkg = (dependencies: Record<string, string>, more: object = {}) => ({
  'package.json': { dependencies, ...more },
})

describe('what is installed', () => {
  test('A dependency without a lockfile can be imported, and its program runs', async () => {
    const { environment, diagnostics, run } = await bench.install(pkg({ tool: '^2.0.0' }))
    expect(diagnostics).toEqual([])
    expect(environment.entries.every(({ kind }) => kind === 'link')).toBe(true)
    expect(await run(`tool && node -p "require('tool')"`)).toBe('leaf 1.1.0\n2.1.0')
  })

  test('A project without a lockfile may import the dependencies of its dependencies, as with npm', async () => {
    const { run } = await bench.install(pkg({ twig: '1.0.0' }))
    expect(await run(`node -p "require('leaf')"`)).toBe('1.1.0')
  })

  test('A package that imports what it does not declare finds it', async () => {
    const { run } = await bench.install(pkg({ phantom: '1.0.0', leaf: '2.0.0' }))
    expect(await run(`node -p "require('phantom')"`)).toBe('2.0.0')
    expect(await run(`echo "import p from 'phantom'; console.log(p)" > a.mjs; node a.mjs`)).toBe('2.0.0')
  })

  test('Optional packages of other platforms are left out', async () => {
    const { environment } = await bench.install(pkg({ native: '1.0.0' }))
    const names = environment.entries.map(({ path }) => path)
    expect(names).toContain('node_modules/native-linux')
    expect(names).not.toContain('node_modules/native-win32')
  })

  test('Install scripts do not run', async () => {
    const { run } = await bench.install(pkg({ scripted: '1.0.0' }))
    expect(await run('ls node_modules/scripted/')).toBe('index.js\npackage.json')
  })

  test('An alias and a dist-tag are installed', async () => {
    const { run } = await bench.install(pkg({ other: 'npm:leaf@^1.0.0', '@scope/part': 'latest' }))
    expect(await run(`node -p "require('other') + require('@scope/part')"`)).toBe('1.1.01.0.0')
  })

  test('A project without dependencies, or without package.json, has no environment', async () => {
    expect(await bench.prepare(pkg({}))).toMatchObject({ ok: true, environment: null })
    expect(await bench.prepare({ 'index.html': '' })).toMatchObject({ ok: true, environment: null })
  })
})

describe('overrides', () => {
  test.each([
    ['npm', { overrides: { leaf: '1.0.0' } }],
    ['npm, below a parent', { overrides: { twig: { leaf: '1.0.0' } } }],
    ['Yarn', { resolutions: { '**/leaf': '1.0.0' } }],
    ['pnpm', { pnpm: { overrides: { 'twig>leaf': '1.0.0' } } }],
  ])('Overrides of %s decide the version', async (_who, fields) => {
    const { run } = await bench.install(pkg({ twig: '1.0.0' }, fields))
    expect(await run(`node -p "require('leaf')"`)).toBe('1.0.0')
  })
})

describe('several packages in one project', () => {
  test('workspace:* links the package of the project, and its dependencies are installed', async () => {
    const files = {
      'package.json': { private: true, workspaces: ['packages/*'] },
      'packages/app/package.json': { name: 'app', dependencies: { lib: 'workspace:*' } },
      'packages/lib/package.json': { name: 'lib', dependencies: { leaf: '2.0.0' } },
      'packages/lib/index.js': 'module.exports = "lib with " + require("leaf")',
    }
    const { run } = await bench.install(files, { root: 'packages/app' })
    expect(await run(`node -p "require('lib')"`, '/app/packages/app')).toBe('lib with 2.0.0')
  })

  test.each([
    ['*', 'own'],
    ['^1.0.0', '1.1.0'],
  ])(
    'The range %s means the package of the workspace where its version fits, as npm has it',
    async (range, expected) => {
      const files = {
        'package.json': { workspaces: ['app', 'leaf'] },
        'app/package.json': { dependencies: { leaf: range } },
        'leaf/package.json': { name: 'leaf', version: '9.0.0' },
        'leaf/index.js': 'module.exports = "own"',
      }
      const { run } = await bench.install(files, { root: 'app', project: 'ranged' })
      expect(await run(`node -p "require('leaf')"`, '/app/app')).toBe(expected)
    },
  )

  test('catalog: is looked up in pnpm-workspace.yaml', async () => {
    const files = {
      'package.json': { dependencies: { leaf: 'catalog:', twig: 'catalog:old' } },
      'pnpm-workspace.yaml': 'catalog:\n  leaf: ^1.0.0\ncatalogs:\n  old:\n    twig: 1.0.0\n',
    }
    const { run } = await bench.install(files)
    expect(await run(`node -p "require('leaf') + require('twig')"`)).toBe('1.1.01.0.0')
  })

  test('A folder of the project is linked with its dependencies, also beside the root', async () => {
    const files = {
      'web/package.json': { dependencies: { shared: 'file:../shared' } },
      'shared/package.json': { name: 'shared', dependencies: { leaf: '1.0.0' } },
      'shared/index.js': 'module.exports = "shared " + require("leaf")',
    }
    const { run } = await bench.install(files, { root: 'web' })
    expect(await run(`node -p "require('shared')"`, '/app/web')).toBe('shared 1.0.0')
  })

  test('A root below the top gets its own node_modules, and packages still find what they do not declare', async () => {
    const files = { 'web/package.json': { dependencies: { phantom: '1.0.0', leaf: '1.0.0' } } }
    const { environment, run } = await bench.install(files, { root: 'web' })
    expect(environment.entries.map(({ path }) => path)).toContain('web/node_modules/leaf')
    expect(await run(`node -p "require('phantom')"`, '/app/web')).toBe('1.0.0')
  })
})

describe('known environments', () => {
  test('A known key starts no process', async () => {
    const first = await bench.install(pkg({ twig: '1.0.0', leaf: '1.0.0' }), { project: 'one' })
    const started = bench.started()
    const second = await bench.install(pkg({ twig: '1.0.0', leaf: '1.0.0' }), { project: 'two' })
    const third = await bench.install(pkg({ twig: '1.0.0', leaf: '1.0.0' }), { project: 'one' })
    expect(bench.started()).toBe(started)
    expect([second.environment.key, third.environment.key]).toEqual([
      first.environment.key,
      first.environment.key,
    ])
    expect([first.reused, second.reused, third.reused]).toEqual([false, true, true])
  })

  test('What decides nothing does not change the key', async () => {
    const named = pkg({ leaf: '1.0.0' }, { name: 'a', scripts: { build: 'x' } })
    const first = await bench.install(named, { project: 'named' })
    const started = bench.started()
    const second = await bench.install(
      { ...pkg({ leaf: '1.0.0' }, { name: 'b', scripts: {} }), 'src/a.ts': '' },
      { project: 'renamed' },
    )
    expect(bench.started()).toBe(started)
    expect(second.environment.key).toBe(first.environment.key)
  })

  test('The same key asked for twice at once is installed once', async () => {
    const started = bench.started()
    const files = pkg({ twig: '1.0.0', '@scope/part': '1.0.0' })
    const both = await Promise.all([
      bench.install(files, { project: 'left' }),
      bench.install(files, { project: 'right' }),
    ])
    expect(bench.started()).toBe(started + 1)
    expect(both[0].environment.key).toBe(both[1].environment.key)
  })

  test('Who gives up waiting does not end the install of the other', async () => {
    const files = pkg({ twig: '1.0.0', '@scope/part': '1.0.0', leaf: '1.0.0' })
    const controller = new AbortController()
    const left = bench.prepare(files, {
      project: 'left',
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('gave up')),
    })
    const right = bench.install(files, { project: 'right' })
    await expect(left).rejects.toThrow('gave up')
    expect((await right).environment.entries.length).toBeGreaterThan(0)
  })

  test('A project without a lockfile keeps the versions it got when a newer one appears', async () => {
    await bench.registry.publish({ name: 'moving', version: '1.0.0' })
    const first = await bench.install(pkg({ moving: '^1.0.0' }), { project: 'keeper' })
    await bench.registry.publish({ name: 'moving', version: '1.1.0' })
    const second = await bench.install(pkg({ moving: '^1.0.0', leaf: '1.0.0' }), { project: 'keeper' })
    expect(await first.run(`node -p "require('moving')"`)).toBe('1.0.0')
    expect(await second.run(`node -p "require('moving')"`)).toBe('1.0.0')
  })
})
