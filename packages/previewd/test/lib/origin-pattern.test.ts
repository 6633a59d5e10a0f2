import { expect, test } from 'vitest'
import { matchOrigin, parseOriginPattern } from '../../src/lib/origin-pattern.ts'

const match = (patterns: string[], url: string) => matchOrigin(patterns.map(parseOriginPattern), new URL(url))

test('an origin allows itself, whatever the path, and no other scheme, host or port', () => {
  const listed = ['https://api.example.org', 'http://127.0.0.1:8000', 'http://[::1]:8000']
  for (const url of [
    'https://api.example.org/v2',
    'https://API.example.org:443/',
    'http://127.0.0.1:8000',
    'http://[::1]:8000/x',
  ]) {
    expect(match(listed, url), url).toBe('named')
  }
  for (const url of [
    'http://api.example.org',
    'https://api.example.org:8443',
    'https://api.example.org.evil.example',
    'https://evil-api.example.org',
    'http://127.0.0.1',
    'http://127.0.0.2:8000',
  ]) {
    expect(match(listed, url), url).toBeUndefined()
  }
})

test('a wildcard for hosts allows every name below one, and is told apart from a name', () => {
  const listed = ['https://*.example.org', 'https://named.example.org']
  expect(match(listed, 'https://a.b.example.org')).toBe('wildcard')
  expect(match(listed, 'https://named.example.org')).toBe('named')
  expect(match(listed, 'https://example.org')).toBeUndefined()
  expect(match(listed, 'https://badexample.org')).toBeUndefined()
  expect(match(['https://*'], 'https://anything.example')).toBe('wildcard')
})

test('a wildcard for ports allows each of them', () => {
  const listed = ['http://localhost:*', 'https://*.example.org:*']
  expect(match(listed, 'http://localhost:8000')).toBe('named')
  expect(match(listed, 'http://localhost')).toBe('named')
  expect(match(listed, 'https://a.example.org:8443')).toBe('wildcard')
})

test('what is no origin is refused in a sentence', () => {
  for (const text of [
    'api.example.org',
    'https://',
    'ftp://a.example',
    'https://a.example/path',
    'https://user@a.example',
    'https://a.*.example',
    'https://*a.example',
    'https://a.example:port',
    'http://a.example:99999',
    '*',
  ]) {
    expect(() => parseOriginPattern(text), text).toThrow()
  }
})
