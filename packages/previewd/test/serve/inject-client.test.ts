import fc from 'fast-check'
import { expect, test } from 'vitest'
import { clientInjection } from '../../src/serve/session/inject-client.ts'

const TAG = '<script src="/c.js"></script>'

async function injected(chunks: readonly Buffer[]): Promise<string> {
  const stream = clientInjection(TAG)
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  return Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>)).toString()
}

test.each([
  ['<!doctype html><html><head><title>é</title>', `<!doctype html><html><head>${TAG}<title>é</title>`],
  ['<HTML lang="en"><HEAD data-a="1"\n>x', `<HTML lang="en"><HEAD data-a="1"\n>${TAG}x`],
  ['<!-- <head> --><html><body>x', `<!-- <head> --><html>${TAG}<body>x`],
  ['<!doctype html><header>x</header>', `<!doctype html>${TAG}<header>x</header>`],
  ['<h1>plain</h1>', `${TAG}<h1>plain</h1>`],
  ['only text', `${TAG}only text`],
  ['', TAG],
])('the tag comes first in the head of %j', async (html, expected) => {
  expect(await injected([Buffer.from(html)])).toBe(expected)
})

test('however a page is cut into pieces, the tag is at the same place', async () => {
  const part = fc.constantFrom(
    '<!doctype html>',
    '<html>',
    '<head>',
    '<header>',
    '<!-- <p> -->',
    '<p>',
    'é',
    '<',
    '>',
  )
  const pages = fc.tuple(fc.array(part, { maxLength: 8 }), fc.array(fc.nat(80), { maxLength: 6 }))
  await fc.assert(
    fc.asyncProperty(pages, async ([parts, cuts]) => {
      const bytes = Buffer.from(parts.join(''))
      const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
      const chunks = places.slice(1).map((end, at) => bytes.subarray(places[at], end))
      expect(await injected(chunks)).toBe(await injected([bytes]))
    }),
    { numRuns: 300 },
  )
})

test('a page that streams is sent on from its head, and one without any is not held for ever', async () => {
  const stream = clientInjection(TAG)
  stream.write('<head>')
  expect(String(stream.read())).toBe(`<head>${TAG}`)
  stream.write('more')
  expect(String(stream.read())).toBe('more')
  const text = clientInjection(TAG)
  text.write('a'.repeat(64 * 1024))
  expect(String(text.read()).slice(0, TAG.length + 1)).toBe(`${TAG}a`)
})
