import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Bench, makeBench, openBench } from './environment-bench.ts'
import { startFixtureRegistry } from './fixture-registry.ts'

const TODAY = new Date().toISOString()
const PACKAGES = [
  { name: 'leaf', version: '1.0.0' },
  { name: 'leaf', version: '1.2.0' },
  { name: 'leaf', version: '2.0.0' },
  { name: 'needy', version: '1.0.0', dependencies: { 'gone-package': '^1.0.0' } },
  { name: 'young', version: '1.0.0', publishedAt: TODAY },
  { name: 'maturing', version: '1.0.0' },
  { name: 'maturing', version: '1.1.0', publishedAt: TODAY },
  { name: 'tampered', version: '1.0.0', defect: 'tampered' as const },
  { name: 'exotic', version: '1.0.0', dependencies: { git: 'github:someone/git' } },
  { name: 'proven', version: '1.0.0', provenance: true },
  { name: 'proven', version: '1.1.0', publishedAt: '2021-01-01T00:00:00.000Z' },
  { name: 'exotic-web', version: '1.0.0', dependencies: { web: 'http://127.0.0.1:9/web.tgz' } },
]

let bench: Bench
beforeAll(async () => {
  const opened = await openBench({ packages: PACKAGES })
  bench = opened.bench
  return opened.close
})

const pkg = (dependencies: Record<string, string>) => ({ 'package.json': { dependencies } })

describe('what the registry does not have', () => {
  test('A missing package is named, with the line that asks for it', async () => {
    const result = await bench.prepare(
      {
        'web/package.json':
          '{\n  "dependencies": {\n    "leaf": "1.0.0",\n    "no-such-package": "^1.0.0"\n  }\n}',
      },
      { root: 'web' },
    )
    expect(result).toMatchObject({
      ok: false,
      diagnostics: [
        {
          origin: 'install',
          severity: 'error',
          code: 'PACKAGE_NOT_FOUND',
          message: 'no-such-package is not on the registry.',
          file: 'web/package.json',
          line: 4,
          column: 5,
        },
      ],
    })
  })

  test('A missing package that a dependency asks for is named', async () => {
    const result = await bench.prepare(pkg({ needy: '1.0.0' }))
    expect(result).toMatchObject({
      ok: false,
      diagnostics: [{ code: 'PACKAGE_NOT_FOUND', message: expect.stringContaining('gone-package') }],
    })
  })

  test('A missing version is named, with the versions there are', async () => {
    const result = await bench.prepare(pkg({ leaf: '^1.9.0' }))
    expect(result).toMatchObject({
      ok: false,
      diagnostics: [
        {
          code: 'VERSION_NOT_FOUND',
          message: 'No version of leaf satisfies ^1.9.0.',
          hint: 'versions there are: 2.0.0, 1.2.0, 1.0.0',
          line: 3,
        },
      ],
    })
  })

  test('A missing tag is a missing version', async () => {
    const result = await bench.prepare(pkg({ leaf: 'nightly' }))
    expect(result).toMatchObject({ ok: false, diagnostics: [{ code: 'VERSION_NOT_FOUND' }] })
  })
})

describe('what the registry has and should not be installed', () => {
  test('A release younger than the policy is refused by name', async () => {
    const result = await bench.prepare(pkg({ young: '1.0.0' }))
    expect(result).toMatchObject({
      ok: false,
      diagnostics: [{ code: 'RELEASE_TOO_YOUNG', message: expect.stringContaining('young'), line: 3 }],
    })
  })

  test('A young release is passed over where an older one satisfies', async () => {
    const { run } = await bench.install(pkg({ maturing: '^1.0.0' }))
    expect(await run(`node -p "require('maturing')"`)).toBe('1.0.0')
  })

  test('A young release in a lockfile is refused', async () => {
    const lock = `lockfileVersion: '9.0'\nsettings:\n  autoInstallPeers: true\n  excludeLinksFromLockfile: false\nimporters:\n  .:\n    dependencies:\n      young:\n        specifier: 1.0.0\n        version: 1.0.0\npackages:\n  young@1.0.0:\n    resolution: {integrity: ${bench.registry.integrityOf('young', '1.0.0')}}\nsnapshots:\n  young@1.0.0: {}\n`
    const result = await bench.prepare({ ...pkg({ young: '1.0.0' }), 'pnpm-lock.yaml': lock })
    expect(result).toMatchObject({ ok: false, diagnostics: [{ code: 'RELEASE_TOO_YOUNG' }] })
  })

  test('The operator may allow young releases', async () => {
    const open = await makeBench({ packages: PACKAGES, minimumReleaseAgeMinutes: 0 })
    const { run } = await open.install(pkg({ young: '1.0.0' }))
    expect(await run(`node -p "require('young')"`)).toBe('1.0.0')
  })

  test('A tarball that is not what the metadata vouches for is refused', async () => {
    const result = await bench.prepare(pkg({ tampered: '1.0.0' }))
    expect(result).toMatchObject({
      ok: false,
      diagnostics: [{ code: 'INTEGRITY_MISMATCH', message: expect.stringContaining('tampered') }],
    })
  })

  test.each(['exotic', 'exotic-web'])(
    'A package that depends on something outside the registry is refused: %s',
    async (name) => {
      const result = await bench.prepare(pkg({ [name]: '1.0.0' }))
      expect(result).toMatchObject({ ok: false, diagnostics: [{ code: 'EXOTIC_DEPENDENCY' }] })
    },
  )

  test('A release that lost the attestation earlier releases had is refused', async () => {
    const result = await bench.prepare(pkg({ proven: '1.1.0' }))
    expect(result).toMatchObject({ ok: false, diagnostics: [{ code: 'TRUST_DOWNGRADE', line: 3 }] })
  })
})

describe('the registry itself', () => {
  test('A registry that is down is named as the cause, and asked again the next time', async () => {
    // No port that was free a moment ago: a test that runs beside this one may have been given it.
    const down = await makeBench({ registryUrl: 'http://127.0.0.1:1/' })
    for (const _attempt of [1, 2]) {
      const result = await down.prepare(pkg({ leaf: '1.0.0' }))
      expect(result).toMatchObject({
        ok: false,
        diagnostics: [{ code: 'REGISTRY_UNREACHABLE', message: expect.stringContaining('ECONNREFUSED') }],
      })
    }
  })

  test.each(['/leaf', '/leaf/-/leaf-1.0.0.tgz'])(
    'An answer whose bytes stop for good is asked for again by the installer: %s',
    async (path) => {
      const stalling = await makeBench({ packages: PACKAGES, registryLimits: { stallTimeoutMs: 1000 } })
      stalling.registry.stall(path)
      const { run } = await stalling.install(pkg({ leaf: '1.0.0' }))
      expect(await run(`node -p "require('leaf')"`)).toBe('1.0.0')
      expect(stalling.registry.requests.filter((asked) => asked === `GET ${path}`)).toHaveLength(2)
    },
  )

  test('A registry that wants a token gets it, and nothing of it is left where project code could read it', async () => {
    const token = 'canary-token-5f2c'
    const guarded = await makeBench({ packages: PACKAGES, token })
    const { run, environment } = await guarded.install(pkg({ leaf: '1.0.0' }))
    expect(await run(`node -p "require('leaf')"`)).toBe('1.0.0')
    expect(await run(`grep -rl ${token} /store /app /proc/1/environ`)).toBe('')
    const record = join(guarded.dataDir, 'environments', environment.key, 'environment.json')
    expect(await readFile(record, 'utf8')).not.toContain(token)
  })

  test('A registry that refuses the token is named as the cause', async () => {
    const guarded = await startFixtureRegistry({ packages: PACKAGES, token: 'the-right-one' })
    const wrong = await makeBench({ registryUrl: guarded.url, token: 'another-one' })
    const result = await wrong.prepare(pkg({ leaf: '1.0.0' }))
    await guarded.close()
    expect(result).toMatchObject({
      ok: false,
      diagnostics: [{ code: 'REGISTRY_UNREACHABLE', message: expect.stringContaining('401') }],
    })
  })
})

describe('what the project got wrong', () => {
  test('package.json that is not JSON is located', async () => {
    const result = await bench.prepare({ 'package.json': '{\n  "name": "x",\n  "dependencies": {,}\n}' })
    expect(result).toMatchObject({
      ok: false,
      diagnostics: [{ code: 'INVALID_PACKAGE_JSON', file: 'package.json', line: 3, column: 20 }],
    })
  })

  test('A byte order mark in front of package.json is no problem', async () => {
    const { diagnostics } = await bench.install({ 'package.json': '\uFEFF{"dependencies":{"leaf":"1.0.0"}}' })
    expect(diagnostics).toEqual([])
  })

  test('An install that takes too long ends with a diagnostic', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    onTestFinished(() => void silent.close())
    const registryUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`
    const hurried = await makeBench({ registryUrl, installTimeoutMs: 2_000 })
    const result = await hurried.prepare(pkg({ leaf: '1.0.0' }))
    expect(result).toMatchObject({ ok: false, diagnostics: [{ code: 'INSTALL_TIMED_OUT' }] })
  })

  test.each([
    ['git+https://example.com/a.git', 'git'],
    ['git@github.com:a/b.git', 'git'],
    ['github:a/b', 'git'],
    ['a/b', 'git'],
    ['https://example.com/a.tgz', 'web'],
    ['file:/etc', 'machine'],
    ['file:///etc', 'machine'],
    ['link:~/secrets', 'machine'],
    ['/etc/passwd', 'machine'],
    ['file:../../etc', 'outside the project'],
    ['../outside', 'outside the project'],
    ['file:a.tgz', 'archives'],
    ['workspace:*', 'no package of the project'],
    ['catalog:', 'catalog'],
    ['jsr:@a/b', 'other registries'],
    ['patch:leaf@1.0.0#x', 'patched'],
    ['npm:../../x@1', 'package name'],
    ['npm:leaf@git+https://example.com/a.git', 'range or a tag'],
  ])('The specifier %s is refused by name', async (specifier, reason) => {
    const result = await bench.prepare(pkg({ leaf: '1.0.0', bad: specifier }))
    expect(result).toMatchObject({
      ok: false,
      diagnostics: [{ severity: 'error', file: 'package.json', line: 4, column: 5 }],
    })
    const [diagnostic] = result.diagnostics
    expect(diagnostic?.message).toContain(`"bad": "${specifier}"`)
    expect(diagnostic?.message).toContain(reason)
  })
})
