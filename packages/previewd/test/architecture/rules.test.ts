import { expect, test } from 'vitest'
import { readSourceTree, withoutTemplates } from './source-tree.ts'

const MAX_LINES = 400

const files = readSourceTree()

function linesMatching(pattern: RegExp, except: (path: string) => boolean = () => false): string[] {
  return files
    .filter(({ path }) => !except(path))
    .flatMap(({ path, text }) =>
      withoutTemplates(text)
        .split('\n')
        .flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1} ${line.trim()}`] : [])),
    )
}

test('only config.ts reads the environment of the server', () => {
  // In the sandbox the environment is what the host chose to give.
  expect(linesMatching(/\bprocess\.env\b/, (path) => path === 'config.ts' || isChildHalf(path))).toEqual([])
})

test('no module keeps state that changes', () => {
  expect(linesMatching(/^(?:export )?(?:let|var) /, isChildHalf)).toEqual([])
})

test('no error is swallowed without a word', () => {
  const empty = files.filter(({ text }) => /catch\s*(?:\([^)]*\))?\s*\{\s*\}/.test(withoutTemplates(text)))
  expect(empty.map(({ path }) => path)).toEqual([])
})

test('a file has one reason to exist: none is long, none is called utils, none is a barrel', () => {
  const long = files.filter(({ text }) => text.split('\n').length > MAX_LINES)
  expect(long.map(({ path }) => path)).toEqual([])
  expect(
    files.map(({ path }) => path).filter((path) => /(^|\/)(utils?|helpers?|index|misc)\.ts$/.test(path)),
  ).toEqual([])
})

test('nothing is left to be done in a comment', () => {
  expect(linesMatching(/\/\/.*\b(?:TODO|FIXME|XXX|HACK)\b/)).toEqual([])
})

/** A process of its own that lives as long as one worker. */
function isChildHalf(path: string): boolean {
  return /^worker\/entry[^/]*\.ts$/.test(path)
}
