import { expect, it } from 'vitest'
import { MAX_DIAGNOSTICS, refine } from '../../src/build/refine.ts'
import type { Diagnostic } from '../../src/model/diagnostic.ts'
import { memorySnapshot } from './memory-snapshot.ts'

const snapshot = memorySnapshot({ 'src/a.ts': 'one\ntwo\n\tthree\nfour\nfive\n' })
const error: Diagnostic = { origin: 'build', severity: 'error', message: 'wrong' }

it('puts the cause before what follows from it, and errors before warnings', async () => {
  const found: Diagnostic[] = [
    { ...error, origin: 'config', severity: 'warning', message: 'w' },
    { ...error, origin: 'type', message: 't' },
    { ...error, origin: 'build', message: 'b' },
    { ...error, origin: 'config', message: 'c' },
    { ...error, origin: 'install', message: 'i' },
  ]
  const order = (await refine(found, snapshot)).map(({ origin, severity }) => `${severity} ${origin}`)
  expect(order).toEqual(['error install', 'error config', 'error build', 'error type', 'warning config'])
})

it('keeps each problem once', async () => {
  const at = { ...error, file: 'src/a.ts', line: 1 }
  expect(await refine([at, at, { ...at, line: 2 }], snapshot)).toHaveLength(2)
})

it('keeps a bounded number of problems of bounded size', async () => {
  const many = Array.from({ length: 1000 }, (_, n) => ({
    ...error,
    message: `${n} ${'é'.repeat(9000)}`,
    frame: 'x'.repeat(9000),
  }))
  const kept = await refine(many, snapshot)
  expect(kept.length).toBeGreaterThan(10)
  expect(kept.length).toBeLessThanOrEqual(MAX_DIAGNOSTICS)
  expect(JSON.stringify(kept).length).toBeLessThan(256 * 1024)
  for (const { message, frame } of kept) {
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(4096)
    expect(Buffer.byteLength(frame ?? '')).toBeLessThanOrEqual(2048)
  }
})

it('draws a frame out of the source where there is none', async () => {
  const [drawn] = await refine([{ ...error, file: 'src/a.ts', line: 3, column: 2 }], snapshot)
  expect(drawn?.frame).toBe('  1 | one\n  2 | two\n> 3 |   three\n    |   ^\n  4 | four\n  5 | five')
})

it('finds the line of an import that the tool did not place', async () => {
  const source = memorySnapshot({ 'src/b.ts': "import a from 'x'\nimport b from 'missing'\n" })
  const [placed] = await refine([{ ...error, file: 'src/b.ts', findImport: 'missing' }], source)
  expect(placed).toMatchObject({ line: 2, column: 15 })
  expect(placed).not.toHaveProperty('findImport')
})

it('finds the line that a tool quotes of the code that was made of a file', async () => {
  const source = memorySnapshot({ 'src/b.astro': '---\n---\n<p>\n  hello {"\'\n</p>\n' })
  const made = { ...error, file: 'src/b.astro', line: 40, column: 12 }
  const [placed] = await refine([{ ...made, findLine: '    hello {"\'' }], source)
  expect(placed).toMatchObject({ line: 4, column: 10, frame: expect.stringContaining('> 4 |   hello {') })
  expect(placed).not.toHaveProperty('findLine')

  const [placeless] = await refine([{ ...made, findLine: '${$$render`<p>hello' }], source)
  expect(placeless).toMatchObject({ file: 'src/b.astro', hint: expect.stringContaining('<p>hello') })
  expect(placeless).not.toHaveProperty('line')
  expect(placeless).not.toHaveProperty('frame')
})

it('leaves the place of a file that a plugin only adds to', async () => {
  const source = memorySnapshot({ 'src/b.tsx': 'one\n<p>two\n' })
  const found = { ...error, file: 'src/b.tsx', line: 2, column: 4, findLine: '<p data-id="1">two' }
  expect((await refine([found], source))[0]).toMatchObject({ line: 2, column: 4 })
})

it('draws nothing for a place outside of the source', async () => {
  const [plain] = await refine([{ ...error, file: 'src/a.ts', line: 99 }], snapshot)
  expect(plain).not.toHaveProperty('frame')
})
