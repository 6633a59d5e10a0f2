import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cacheControl, isHashedAsset } from '../../src/serve/cache-control.ts'
import { acceptedEncodings } from '../../src/serve/negotiate-encoding.ts'
import { addPrefix, injectShim } from '../../src/serve/path-mode/inject-shim.ts'
import { type HostTarget, parseHost } from '../../src/serve/preview-host.ts'
import { decodePath, hasHiddenSegment } from '../../src/serve/request-path.ts'

describe('a Host header', () => {
  const demo: HostTarget = { kind: 'project', project: 'demo' }
  const build: HostTarget = { kind: 'build', project: 'demo-app', buildId: 'abcdef012345' }
  const cases: Array<[string, HostTarget | HostTarget['kind']]> = [
    ['demo.localhost:4400', demo],
    ['demo.localhost', demo],
    ['demo.localhost:8080', demo],
    ['DEMO.LocalHost:4400', demo],
    ['demo.localhost.:4400', demo],
    ['demo.localhost.', demo],
    ['abcdef012345--demo-app.localhost:4400', build],
    ['localhost:4400', 'other'],
    ['127.0.0.1:4400', 'other'],
    ['[::1]:4400', 'other'],
    ['evil.example', 'other'],
    ['demo.localhost.evil.example', 'other'],
    ['notlocalhost', 'other'],
    ['a.demo.localhost', 'misdirected'],
    ['-demo.localhost', 'malformed'],
    ['demo-.localhost', 'misdirected'],
    ['a--b.localhost', { kind: 'env-set', project: 'b', envSet: 'a' }],
    ['abcdef012345--a--b.localhost', 'misdirected'],
    [`${'a'.repeat(41)}.localhost`, 'misdirected'],
    ['de_mo.localhost', 'misdirected'],
    ['', 'malformed'],
    ['demo.localhost:', 'malformed'],
    ['demo.localhost:99999', 'malformed'],
    ['demo.localhost:44o0', 'malformed'],
    ['demo.localhost:4400:4400', 'malformed'],
    ['demo..localhost', 'malformed'],
    ['demo.localhost..', 'malformed'],
    ['demo.localhost/path', 'malformed'],
    ['user@demo.localhost', 'malformed'],
    ['demo.localhost, other.localhost', 'malformed'],
    ['[::1', 'malformed'],
    ['[evil]:80', 'malformed'],
    ['dëmo.localhost', 'malformed'],
  ]
  test.each(cases)('%j', (header, expected) => {
    const target = parseHost(header, 'localhost:4400')
    expect(typeof expected === 'string' ? target.kind : target).toEqual(expected)
  })
})

describe('a path', () => {
  test('of plain characters is itself, and percent signs are decoded once', () => {
    expect(decodePath('/a/b-c_d.js')).toBe('/a/b-c_d.js')
    expect(decodePath('/a%20b/%C3%BC')).toBe('/a b/ü')
    expect(decodePath('/%2541')).toBe('/%41')
    expect(decodePath('/a.b.c/d.min.js')).toBe('/a.b.c/d.min.js')
    expect(decodePath('/...')).toBe('/...')
  })

  test('never leaves the root, whatever it is made of', () => {
    const piece = fc.constantFrom(
      '..',
      '.',
      '/',
      '%2e',
      '%2E',
      '%2f',
      '%5c',
      '\\',
      '%00',
      '%',
      'a',
      '%252e',
      '%c0%ae',
      ';',
      '\u0000',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const decoded = decodePath(`/${pieces.join('')}`)
        if (decoded === undefined) return
        expect(decoded).not.toMatch(/[\0\\]/)
        expect(decoded.split('/')).not.toContain('..')
        expect(decoded.split('/')).not.toContain('.')
      }),
    )
  })

  test('is decoded as a browser encoded it', () => {
    const segment = fc
      .string({ unit: 'grapheme' })
      .filter((text) => /^[^/\\]+$/.test(text) && !/\p{Cc}/u.test(text))
    fc.assert(
      fc.property(segment, (text) => {
        fc.pre(text !== '.' && text !== '..')
        expect(decodePath(`/${encodeURIComponent(text)}`)).toBe(`/${text}`)
      }),
    )
  })

  test('with a segment that begins with a dot is hidden, but for .well-known at the top', () => {
    expect(['/.env', '/a/.git/x', '/.well-known/.x', '/x/.well-known/y'].map(hasHiddenSegment)).not.toContain(
      false,
    )
    expect(['/.well-known/x', '/a.b/c', '/a..b', '/'].map(hasHiddenSegment)).not.toContain(true)
  })
})

describe('names', () => {
  test.each([
    'assets/index-BwZ3kX_a.js',
    'assets/index-DiwrgTda.css',
    'assets/vendor.min-Ab12Cd34.mjs',
    'assets/img/photo-C1n-x_9Q.webp',
    'app/assets/index-BwZ3k-_a.js',
    'static/js/main.3f9a1c2b.js',
    'static/js/main.3f9a1c2b.chunk.js',
    '_astro/page.Ab12Cd34.css',
    '_nuxt/Ab12Cd34.js',
    '_app/immutable/entry/start.js',
    'assets/index-3f9a1c2b4d5e6f7081.js',
  ])('%s has a hash', (path) => expect(isHashedAsset(path)).toBe(true))

  test.each([
    'index.html',
    'assets/logo.png',
    'assets/hero-1024x768.png',
    'assets/photo-20240501.jpg',
    'assets/logo-Vacation.png',
    'assets/jquery-validate.js',
    'assets/my-component-name.js',
    'images/index-BwZ3kX_a.js',
    'assets/screenshot-dashboard2.png',
  ])('%s has none', (path) => expect(isHashedAsset(path)).toBe(false))

  test('pages are never kept for ever, not even of one build', () => {
    expect(cacheControl('assets/x-Ab12Cd34.html', { immutableUrl: true, isPrivate: false })).toBe('no-cache')
  })

  test('private previews stay out of shared caches', () => {
    for (const path of ['index.html', 'logo.png', 'assets/index-BwZ3kX_a.js']) {
      expect(cacheControl(path, { immutableUrl: false, isPrivate: true })).toMatch(/^private, /)
    }
  })
})

test.each([
  [undefined, ['identity']],
  ['gzip', ['gzip', 'identity']],
  ['gzip, deflate, br, zstd', ['br', 'gzip', 'identity']],
  ['br;q=0.1, gzip;q=0.9', ['gzip', 'br', 'identity']],
  ['identity;q=1, br;q=0.5', ['identity', 'br']],
  ['*', ['br', 'gzip', 'identity']],
  ['*;q=0', ['identity']],
  ['br;q=abc', ['identity']],
  ['GZIP;Q=1', ['gzip', 'identity']],
  [`${'x,'.repeat(1000)}br`, ['identity']],
])('Accept-Encoding %j gets %j', (header, expected) => expect(acceptedEncodings(header)).toEqual(expected))

test.each([
  ['<!doctype html><html><head><title>x', '<!doctype html><html><head>@<title>x'],
  ['<html lang="en">\n<HEAD data-x="1">', '<html lang="en">\n<HEAD data-x="1">@'],
  ['<!-- <head> --><!doctype html><head>', '<!-- <head> --><!doctype html><head>@'],
  ['<!doctype html><script>1</script><head>', '<!doctype html>@<script>1</script><head>'],
  ['<h1>x</h1>', '@<h1>x</h1>'],
  ['<header>x</header>', '@<header>x</header>'],
  ['', '@'],
])('the client script stands in front of all others in %j', (html, expected) => {
  expect(injectShim(html, '@')).toBe(expected)
})

test.each([
  ['<a href="/about">', '<a href="/preview/x/about">'],
  ["<img alt='' src = '/a.png'>", "<img alt='' src = '/preview/x/a.png'>"],
  ['<script src=/a.js></script>', '<script src=/preview/x/a.js></script>'],
  ['<a href="//cdn.example/x">', '<a href="//cdn.example/x">'],
  ['<a href="https://x.example/">', '<a href="https://x.example/">'],
  ['<a href="/preview/x/assets/a.js">', '<a href="/preview/x/assets/a.js">'],
  ['<a href="b.html" data-href="/x">', '<a href="b.html" data-href="/x">'],
])('addresses of the root in %j lead below the prefix', (html, expected) => {
  expect(addPrefix(html, '/preview/x')).toBe(expected)
})
