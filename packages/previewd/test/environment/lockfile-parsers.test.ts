import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseBunLockfile } from '../../src/environment/bun-lockfile.ts'
import { renderPreferred } from '../../src/environment/installer.ts'
import { LockfileError } from '../../src/environment/locked-packages.ts'
import { parseNpmLockfile } from '../../src/environment/npm-lockfile.ts'
import { parsePnpmLockfile } from '../../src/environment/pnpm-lockfile.ts'
import { parseYarnLockfile } from '../../src/environment/yarn-lockfile.ts'

const PARSERS = { parseBunLockfile, parseNpmLockfile, parsePnpmLockfile, parseYarnLockfile }

test.each(Object.entries(PARSERS))('%s takes any text, or says in its own error why not', (_name, parse) => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.json().map((json) => `__metadata: {}\n${json}`),
  )
  fc.assert(
    fc.property(text, (content) => {
      try {
        expect(Array.isArray(parse('lock', content).packages)).toBe(true)
      } catch (error) {
        expect(error).toBeInstanceOf(LockfileError)
      }
    }),
  )
})

test.each(Object.entries(PARSERS))('%s refuses what is nested too deeply', (_name, parse) => {
  expect(() => parse('lock', `__metadata:\n  ${'['.repeat(200_000)}`)).toThrow(LockfileError)
})

test('Hostile entries are left out of npm lockfiles', () => {
  const lock = JSON.stringify({
    lockfileVersion: 3,
    packages: {
      'node_modules/../../etc': { version: '1.0.0' },
      'node_modules/git': { version: 'git+ssh://git@example.com/a.git#abc' },
      'node_modules/__proto__': { version: '1.0.0' },
      'node_modules/linked': { link: true, resolved: '../../etc' },
      'node_modules/fine': { version: '1.0.0' },
      'node_modules/a/node_modules/fine': { version: '2.0.0' },
      'node_modules/alias': { name: 'real', version: '3.0.0' },
    },
  })
  const { packages } = parseNpmLockfile('package-lock.json', lock)
  expect(packages.map(({ name, version }) => `${name}@${version}`)).toEqual([
    'fine@1.0.0',
    'fine@2.0.0',
    'real@3.0.0',
  ])
  expect(Object.keys(JSON.parse(renderPreferred(packages)).packages)).toEqual([
    '',
    'node_modules/fine',
    'node_modules/1/node_modules/fine',
    'node_modules/real',
  ])
})

test('Several descriptors of one entry are all satisfied by yarn.lock', () => {
  const lock = parseYarnLockfile(
    'yarn.lock',
    '"@s/a@^1.0.0", "@s/a@^1.2.0":\n  version "1.3.0"\n  resolved "https://x.example/a.tgz"\n\nb@npm:c@^2:\n  version "2.0.0"\n',
  )
  expect(lock.packages).toEqual([
    { name: '@s/a', version: '1.3.0' },
    { name: 'c', version: '2.0.0' },
  ])
  expect(lock.satisfies('', '@s/a', '^1.2.0')).toBe(true)
  expect(lock.satisfies('', '@s/a', '^1.1.0')).toBe(false)
})

test('A pnpm lockfile loses hooks, patches and addresses, and is read past the document about pnpm itself', () => {
  const text = `---
lockfileVersion: '9.0'
importers:
  .:
    packageManagerDependencies:
      pnpm: {specifier: 12.0.0, version: 12.0.0}
---
lockfileVersion: '9.0'
pnpmfileChecksum: sha256-x
patchedDependencies:
  a@1.0.0: {hash: x, path: ../../etc/passwd}
importers:
  .:
    dependencies:
      a: {specifier: ^1.0.0, version: 1.0.0}
packages:
  a@1.0.0:
    resolution: {integrity: sha512-abc, tarball: https://evil.example/a.tgz}
snapshots:
  a@1.0.0: {}
`
  const { usable, packages, satisfies } = parsePnpmLockfile('pnpm-lock.yaml', text)
  expect(packages).toEqual([{ name: 'a', version: '1.0.0', integrity: 'sha512-abc' }])
  expect(satisfies('', 'a', '^1.0.0')).toBe(true)
  expect(usable).not.toMatch(/evil|passwd|pnpmfile|packageManager/)
})

test.each([
  ['git', '{type: git, repo: https://example.com/a.git, commit: abc}'],
  ['a folder', '{directory: ../../etc, type: directory}'],
  ['a weak hash', '{integrity: sha1-abc}'],
])('A pnpm lockfile with %s is not used as it is', (_what, resolution) => {
  const text = `lockfileVersion: '9.0'\npackages:\n  a@1.0.0:\n    resolution: ${resolution}\n`
  expect(parsePnpmLockfile('pnpm-lock.yaml', text).usable).toBeUndefined()
})
