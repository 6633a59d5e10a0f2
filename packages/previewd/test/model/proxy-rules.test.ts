import { expect, test } from 'vitest'
import { parseOriginPattern } from '../../src/lib/origin-pattern.ts'
import { checkProxyRules, findProxyRule } from '../../src/model/proxy-rules.ts'

const ALLOWED = [parseOriginPattern('https://*.example.org')]
const problemOf = (rules: Record<string, string>, allowed = ALLOWED) => {
  const checked = checkProxyRules(rules, allowed)
  return 'problem' in checked ? checked.problem : undefined
}

test('rules are kept without final slashes', () => {
  expect(
    checkProxyRules({ '/api/': 'https://a.example.org/', '/api/v2': 'https://b.example.org/base/' }, ALLOWED),
  ).toEqual({ rules: { '/api': 'https://a.example.org', '/api/v2': 'https://b.example.org/base' } })
})

test('a prefix is a path of plain segments, and not what the server keeps for itself', () => {
  for (const prefix of [
    '/',
    '//',
    '/a//b',
    '/a b',
    '/%61',
    '/a?b',
    '/../a',
    '/a/..',
    '/.',
    '/.previewd',
    '/.PREVIEWD/x',
  ]) {
    expect(problemOf({ [prefix]: 'https://a.example.org' }), prefix).toBeDefined()
  }
  expect(problemOf({ '/.well-known/app': 'https://a.example.org' })).toBeUndefined()
  expect(problemOf({ '/a': 'https://a.example.org', '/a/': 'https://b.example.org' })).toBe('is there twice')
})

test('a target is one that the operator allows, and holds no secret', () => {
  for (const target of [
    'https://a.example.com',
    'http://a.example.org',
    'https://a.example.org:8443',
    'https://user:password@a.example.org',
    'https://a.example.org/?key=1',
    'https://a.example.org/#x',
    'file:///etc/passwd',
    'not a url',
  ]) {
    expect(problemOf({ '/api': target }), target).toBeDefined()
  }
  expect(problemOf({ '/api': 'https://a.example.org' }, [])).toBe('this server allows no proxy targets')
  expect(problemOf({}, [])).toBeUndefined()
})

test('there are at most 20 of them', () => {
  const rules = Object.fromEntries(
    Array.from({ length: 21 }, (_, at) => [`/a${at}`, 'https://a.example.org']),
  )
  expect(problemOf(rules)).toContain('20')
})

test('the longest prefix of whole segments counts', () => {
  const rules = { '/api': 'https://a.example.org', '/api/v2': 'https://b.example.org' }
  const prefixOf = (path: string) => findProxyRule(rules, path)?.prefix
  expect(prefixOf('/api')).toBe('/api')
  expect(prefixOf('/api/')).toBe('/api')
  expect(prefixOf('/api/v2')).toBe('/api/v2')
  expect(prefixOf('/api/v2/x')).toBe('/api/v2')
  expect(prefixOf('/api/v20')).toBe('/api')
  for (const path of ['/', '/apis', '/API', '/x/api', '//api', '/constructor']) {
    expect(prefixOf(path), path).toBeUndefined()
  }
})
