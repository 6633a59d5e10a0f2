import fc from 'fast-check'
import semver from 'semver'
import { describe, expect, test } from 'vitest'
import { isPackageName, parseSpecifier } from '../../src/environment/specifier.ts'

describe('what a specifier means', () => {
  test.each([
    ['^1.2.3', { kind: 'range', range: '^1.2.3' }],
    ['', { kind: 'range', range: '*' }],
    ['>=1 <2 || 3.x', { kind: 'range', range: '>=1 <2 || 3.x' }],
    ['latest', { kind: 'tag', tag: 'latest' }],
    ['npm:^1.0.0', { kind: 'range', range: '^1.0.0' }],
    ['npm:preact@^10', { kind: 'alias', name: 'preact', target: '^10' }],
    ['npm:@scope/a', { kind: 'alias', name: '@scope/a', target: '*' }],
    ['workspace:*', { kind: 'workspace', range: '*' }],
    ['workspace:../lib', { kind: 'folder', path: '../lib' }],
    ['catalog:', { kind: 'catalog', catalog: 'default' }],
    ['catalog:old', { kind: 'catalog', catalog: 'old' }],
    ['file:../lib/', { kind: 'folder', path: '../lib' }],
    ['link:.', { kind: 'folder', path: '.' }],
    ['./lib', { kind: 'folder', path: 'lib' }],
    ['portal:lib', { kind: 'folder', path: 'lib' }],
  ])('%s', (specifier, expected) => {
    expect(parseSpecifier(specifier)).toEqual(expected)
  })
})

describe('what is refused', () => {
  const schemes = fc.constantFrom(
    'git',
    'git+ssh',
    'git+https',
    'http',
    'https',
    'ssh',
    'ftp',
    'data',
    'github',
    'exec',
  )
  test('Every address with a scheme', () => {
    fc.assert(
      fc.property(schemes, fc.webPath(), (scheme, path) => {
        expect(parseSpecifier(`${scheme}://host.example${path}`).kind).toBe('refused')
      }),
    )
  })

  test.each(['/ 0', '1.0.0 /etc', '~/ 1', 'C:\\ 1', 'git+ssh: 1', 'npm:/ 0', 'workspace:/ 0'])(
    'A path that also reads as a version: %s',
    (text) => {
      expect(parseSpecifier(text).kind).toBe('refused')
    },
  )

  test.each(['./c:', './~/x', 'file:a/../c:/x', 'link:./~', 'workspace:./~'])(
    'A folder that is one of the machine without what stands in front of it: %s',
    (text) => {
      expect(parseSpecifier(text).kind).toBe('refused')
    },
  )

  test('Every absolute path, whichever protocol names it', () => {
    const protocol = fc.constantFrom('', 'file:', 'link:', 'portal:', 'file://', 'workspace:')
    fc.assert(
      fc.property(protocol, fc.string(), (prefix, rest) => {
        expect(parseSpecifier(`${prefix}/${rest}`).kind).toBe('refused')
      }),
    )
  })

  test('No text at all makes it throw, and what is accepted holds no address', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'grapheme' })), (text) => {
        const specifier = parseSpecifier(text)
        if (specifier.kind === 'range') expect(semver.validRange(specifier.range, true)).not.toBeNull()
        if (specifier.kind === 'tag') expect(specifier.tag).toMatch(/^[\w-][\w.-]*$/)
        if (specifier.kind === 'folder') expect(specifier.path).not.toMatch(/^\/|^[a-z]:|\\|\0/i)
      }),
      { numRuns: 2000 },
    )
  })
})

test.each([
  '../a',
  '@a',
  'a/b/c',
  '.hidden',
  '__proto__',
  'constructor',
  'node_modules',
  'a b',
  '',
  'x'.repeat(300),
])('%j is not the name of a package', (name) => {
  expect(isPackageName(name)).toBe(false)
})

test.each(['react', '@types/node', 'lodash.merge', 'JSONStream', '@a/b-c_d'])(
  '%s is the name of a package',
  (name) => {
    expect(isPackageName(name)).toBe(true)
  },
)
