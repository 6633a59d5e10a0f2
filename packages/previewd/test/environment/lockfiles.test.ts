import { beforeAll, describe, expect, test } from 'vitest'
import { type Bench, openBench } from './environment-bench.ts'

/** The newest is not what the lockfiles pin, so that it shows which was used. */
const PACKAGES = [
  { name: 'leaf', version: '1.0.0' },
  { name: 'leaf', version: '1.1.0' },
  { name: 'twig', version: '1.0.0', dependencies: { leaf: '^1.0.0' } },
  { name: 'twig', version: '1.5.0', dependencies: { leaf: '^1.0.0' } },
  { name: 'leaf', version: '2.0.0' },
  { name: 'new-user', version: '1.0.0', dependencies: { leaf: '^2.0.0' } },
  { name: 'old-user', version: '1.0.0', dependencies: { leaf: '^1.0.0' } },
  { name: 'extra', version: '1.0.0' },
  // It imports what it does not declare and the project does not either.
  { name: 'phantom', version: '1.0.0', files: { 'index.js': 'module.exports = "via " + require("leaf")' } },
]

let bench: Bench
beforeAll(async () => {
  const opened = await openBench({ packages: PACKAGES })
  bench = opened.bench
  return opened.close
})

const MANIFEST = { dependencies: { twig: '^1.0.0' } }
const PRINT = `node -p "require('twig') + ' ' + require(require.resolve('leaf', {paths: [fs.realpathSync('node_modules/twig')]}))"`

/** Lockfiles of each kind that pin twig 1.0.0 and leaf 1.0.0, as their package managers write them. */
function lockfiles(): Record<string, string> {
  const leaf = bench.registry.integrityOf('leaf', '1.0.0')
  const twig = bench.registry.integrityOf('twig', '1.0.0')
  return {
    'package-lock.json': JSON.stringify({
      lockfileVersion: 3,
      packages: {
        '': MANIFEST,
        'node_modules/twig': { version: '1.0.0', resolved: 'https://a.example/t.tgz', integrity: twig },
        'node_modules/leaf': { version: '1.0.0', integrity: leaf },
      },
    }),
    'npm-shrinkwrap.json': JSON.stringify({
      lockfileVersion: 1,
      dependencies: {
        twig: { version: '1.0.0', integrity: twig, requires: { leaf: '^1.0.0' } },
        leaf: { version: '1.0.0', integrity: leaf },
      },
    }),
    'yarn.lock': `# yarn lockfile v1\n
leaf@^1.0.0:
  version "1.0.0"
  resolved "https://a.example/leaf/-/leaf-1.0.0.tgz#0"
  integrity ${leaf}

twig@^1.0.0:
  version "1.0.0"
  integrity ${twig}
  dependencies:
    leaf "^1.0.0"
`,
    'bun.lock': `{
  "lockfileVersion": 1,
  "workspaces": { "": { "dependencies": { "twig": "^1.0.0", }, }, },
  "packages": {
    "leaf": ["leaf@1.0.0", "https://npm.private.example/leaf", {}, "${leaf}"],
    "twig": ["twig@1.0.0", "", { "dependencies": { "leaf": "^1.0.0" } }, "${twig}"],
  }
}`,
    'pnpm-lock.yaml': pnpmLock({ leaf, twig }),
  }
}

const BERRY = `__metadata:
  version: 8
  cacheKey: 10c0

"leaf@npm:^1.0.0":
  version: 1.0.0
  resolution: "leaf@npm:1.0.0"
  checksum: 10c0/abc
  languageName: node
  linkType: hard

"twig@npm:^1.0.0":
  version: 1.0.0
  resolution: "twig@npm:1.0.0"
  dependencies:
    leaf: "npm:^1.0.0"
  languageName: node
  linkType: hard

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."
  languageName: unknown
  linkType: soft
`

function pnpmLock({ leaf, twig, tarball = '' }: { leaf: string; twig: string; tarball?: string }): string {
  return `lockfileVersion: '9.0'

settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

importers:

  .:
    dependencies:
      twig:
        specifier: ^1.0.0
        version: 1.0.0

packages:

  leaf@1.0.0:
    resolution: {integrity: ${leaf}${tarball}}

  twig@1.0.0:
    resolution: {integrity: ${twig}}

snapshots:

  leaf@1.0.0: {}

  twig@1.0.0:
    dependencies:
      leaf: 1.0.0
`
}

function oldPnpmLock(): string {
  return `lockfileVersion: '6.0'
dependencies:
  twig:
    specifier: ^1.0.0
    version: 1.0.0
packages:
  /leaf@1.0.0:
    resolution: {integrity: ${bench.registry.integrityOf('leaf', '1.0.0')}}
  /twig@1.0.0:
    resolution: {integrity: ${bench.registry.integrityOf('twig', '1.0.0')}}
    dependencies:
      leaf: 1.0.0
`
}

describe('every kind of lockfile decides the versions', () => {
  test.each(['package-lock.json', 'npm-shrinkwrap.json', 'yarn.lock', 'bun.lock', 'pnpm-lock.yaml'])(
    '%s',
    async (name) => {
      const files = { 'package.json': MANIFEST, [name]: lockfiles()[name] ?? '' }
      const { run, diagnostics } = await bench.install(files)
      expect(diagnostics).toEqual([])
      expect(await run(PRINT)).toBe('1.0.0 1.0.0')
    },
  )

  test('yarn.lock of Yarn 2 and later', async () => {
    const { run, diagnostics } = await bench.install({ 'package.json': MANIFEST, 'yarn.lock': BERRY })
    expect(diagnostics).toEqual([])
    expect(await run(PRINT)).toBe('1.0.0 1.0.0')
  })

  test('pnpm-lock.yaml of an older version', async () => {
    const { run, diagnostics } = await bench.install({
      'package.json': MANIFEST,
      'pnpm-lock.yaml': oldPnpmLock(),
    })
    expect(diagnostics).toEqual([])
    expect(await run(PRINT)).toBe('1.0.0 1.0.0')
  })
})

describe('layout', () => {
  test.each(['package-lock.json', 'yarn.lock', 'bun.lock'])(
    'With %s everything can be imported',
    async (name) => {
      const { run } = await bench.install({ 'package.json': MANIFEST, [name]: lockfiles()[name] ?? '' })
      expect(await run(`node -p "require('leaf')"`)).toBe('1.0.0')
    },
  )

  test('With pnpm-lock.yaml only what is declared can be imported', async () => {
    const files = { 'package.json': MANIFEST, 'pnpm-lock.yaml': lockfiles()['pnpm-lock.yaml'] ?? '' }
    const { run } = await bench.install(files)
    expect(await run(`node -p "require('leaf')"`)).toContain('Cannot find module')
  })

  test('With a pnpm-lock.yaml that package.json has left behind, a phantom import of the project is found', async () => {
    const { run } = await bench.install({
      'package.json': { dependencies: { twig: '^1.0.0', phantom: '1.0.0' } },
      'pnpm-lock.yaml': lockfiles()['pnpm-lock.yaml'] ?? '',
    })
    expect(await run(`node -p "require('leaf')"`)).toBe('1.0.0')
  })
})

test.each(['1.0.0', '2.0.0'])(
  'Of two versions the one at the top of the lockfile is the one to import without declaring it: %s',
  async (top) => {
    const dependencies = { 'new-user': '^1.0.0', 'old-user': '^1.0.0' }
    const [user, other] = top === '1.0.0' ? ['new-user', '2.0.0'] : ['old-user', '1.0.0']
    const npm = {
      lockfileVersion: 3,
      packages: {
        '': { dependencies },
        'node_modules/leaf': { version: top },
        'node_modules/new-user': { version: '1.0.0' },
        'node_modules/old-user': { version: '1.0.0' },
        [`node_modules/${user}/node_modules/leaf`]: { version: other },
      },
    }
    const bun = {
      workspaces: { '': { dependencies } },
      packages: {
        leaf: [`leaf@${top}`, '', {}, ''],
        'new-user': ['new-user@1.0.0', '', {}, ''],
        'old-user': ['old-user@1.0.0', '', {}, ''],
        [`${user}/leaf`]: [`leaf@${other}`, '', {}, ''],
      },
    }
    for (const lock of [{ 'package-lock.json': npm }, { 'bun.lock': bun }]) {
      const { run, diagnostics } = await bench.install({ 'package.json': { dependencies }, ...lock })
      expect(diagnostics).toEqual([])
      expect(await run(`node -p "require('leaf')"`)).toBe(top)
    }
  },
)

test('With pnpm a package finds what others of the project depend on, and the project does not', async () => {
  const files = {
    'web/package.json': { packageManager: 'pnpm@10.0.0', dependencies: { phantom: '1.0.0', twig: '1.0.0' } },
  }
  const { run } = await bench.install(files, { root: 'web' })
  expect(await run(`node -p "require('phantom')"`, '/app/web')).toBe('via 1.1.0')
  expect(await run(`echo "import p from 'phantom'; console.log(p)" > a.mjs; node a.mjs`, '/app/web')).toBe(
    'via 1.1.0',
  )
  expect(await run(`node -p "require('leaf')"`, '/app/web')).toContain('Cannot find module')
})

describe('which lockfile counts', () => {
  test('The one of the package manager that package.json names', async () => {
    const files = {
      'package.json': { ...MANIFEST, packageManager: 'yarn@4.0.0' },
      'pnpm-lock.yaml': lockfiles()['pnpm-lock.yaml']?.replaceAll('1.0.0', '7.7.7') ?? '',
      'yarn.lock': BERRY,
    }
    const { run, diagnostics } = await bench.install(files)
    expect(diagnostics).toEqual([])
    expect(await run(PRINT)).toBe('1.0.0 1.0.0')
  })

  test('The one that has what package.json asks for', async () => {
    const files = {
      'package.json': MANIFEST,
      'package-lock.json': { lockfileVersion: 3, packages: { '': { dependencies: { old: '1' } } } },
      'bun.lock': lockfiles()['bun.lock'] ?? '',
    }
    const { run, diagnostics } = await bench.install(files)
    expect(diagnostics).toEqual([])
    expect(await run(PRINT)).toBe('1.0.0 1.0.0')
  })

  test('A binary lockfile is ignored with a warning, a text one beside it without', async () => {
    const alone = await bench.install({ 'package.json': MANIFEST, 'bun.lockb': 'binary' })
    expect(alone.diagnostics).toMatchObject([{ code: 'BINARY_LOCKFILE', severity: 'warning' }])
    const beside = { 'package.json': MANIFEST, 'bun.lockb': 'binary', 'yarn.lock': BERRY }
    expect((await bench.install(beside)).diagnostics).toEqual([])
  })

  test('A lockfile that cannot be read is ignored with a warning', async () => {
    const { diagnostics } = await bench.install({ 'package.json': MANIFEST, 'package-lock.json': '{"lock' })
    expect(diagnostics).toMatchObject([{ code: 'INVALID_LOCKFILE', file: 'package-lock.json' }])
  })
})

test('The lockfile of a workspace serves one of its packages, without what only the others need', async () => {
  const { registry } = bench
  const lock = pnpmLock({
    leaf: registry.integrityOf('leaf', '1.0.0'),
    twig: registry.integrityOf('twig', '1.0.0'),
  }).replace(
    /importers:[\s\S]*?packages:/,
    `importers:

  .: {}

  admin:
    dependencies:
      twig:
        specifier: ^1.0.0
        version: 1.0.0

  web:
    dependencies:
      leaf:
        specifier: ^1.0.0
        version: 1.0.0

packages:`,
  )
  const files = {
    'package.json': { private: true },
    'pnpm-workspace.yaml': 'packages: [web, admin]\n',
    'pnpm-lock.yaml': lock,
    'web/package.json': { dependencies: { leaf: '^1.0.0' } },
    'admin/package.json': { dependencies: { twig: '^1.0.0' } },
  }
  const { run, diagnostics, environment } = await bench.install(files, { root: 'web' })
  expect(diagnostics).toEqual([])
  expect(await run(`node -p "require('leaf')"`, '/app/web')).toBe('1.0.0')
  expect(environment.entries.map(({ path }) => path).filter((path) => path.includes('twig'))).toEqual([])
})

describe('lockfiles that do not fit', () => {
  test.each(['package-lock.json', 'yarn.lock', 'bun.lock', 'pnpm-lock.yaml'])(
    '%s out of step is installed anyway, and said so',
    async (name) => {
      const files = {
        'package.json': { dependencies: { twig: '^1.0.0', extra: '^1.0.0' } },
        [name]: lockfiles()[name] ?? '',
      }
      const { run, diagnostics } = await bench.install(files)
      expect(diagnostics).toMatchObject([
        {
          code: 'LOCKFILE_OUT_OF_STEP',
          severity: 'warning',
          file: name,
          message: expect.stringContaining('extra'),
        },
      ])
      expect(await run(`${PRINT}; node -p "require('extra')"`)).toBe('1.0.0 1.0.0\n1.0.0')
    },
  )

  test('Tarball addresses of another host are not used', async () => {
    const { registry } = bench
    const lock = pnpmLock({
      leaf: registry.integrityOf('leaf', '1.0.0'),
      twig: registry.integrityOf('twig', '1.0.0'),
      tarball: ', tarball: https://evil.example/leaf.tgz',
    })
    const { run } = await bench.install({ 'package.json': MANIFEST, 'pnpm-lock.yaml': lock })
    expect(await run(PRINT)).toBe('1.0.0 1.0.0')
  })

  test('A lockfile without integrity only suggests versions', async () => {
    const lock = (lockfiles()['pnpm-lock.yaml'] ?? '').replace(
      / {4}resolution: \{integrity.*\}\n/g,
      '    deprecated: x\n',
    )
    const { run } = await bench.install({ 'package.json': MANIFEST, 'pnpm-lock.yaml': lock })
    expect(await run(PRINT)).toBe('1.0.0 1.0.0')
  })

  test.each(['pnpm-lock.yaml', 'package-lock.json', 'yarn.lock', 'bun.lock'])(
    'An integrity in %s that the registry does not confirm stops the install',
    async (name) => {
      const other = bench.registry.integrityOf('extra', '1.0.0')
      const wrong = (lockfiles()[name] ?? '').replace(bench.registry.integrityOf('leaf', '1.0.0'), other)
      const result = await bench.prepare({ 'package.json': MANIFEST, [name]: wrong })
      expect(result).toMatchObject({ ok: false, diagnostics: [{ code: 'INTEGRITY_MISMATCH' }] })
    },
  )

  test('A package that a lockfile has from git comes from the registry', async () => {
    const lock = (lockfiles()['pnpm-lock.yaml'] ?? '').replace(
      /leaf@1.0.0:\n {4}resolution: .*\n/,
      'leaf@https://codeload.example/leaf/tar.gz/abc:\n    resolution: {tarball: https://codeload.example/leaf/tar.gz/abc}\n',
    )
    const { run } = await bench.install({ 'package.json': MANIFEST, 'pnpm-lock.yaml': lock })
    expect(await run(PRINT)).toMatch(/^1.0.0 1\./)
  })
})
