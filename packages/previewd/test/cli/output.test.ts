import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { formatDiagnostics } from '../../src/cli/diagnostics.ts'
import { readEvents } from '../../src/cli/event-stream.ts'
import { formatBytes, formatMs, table } from '../../src/cli/terminal.ts'
import type { ReportedDiagnostic } from '../../src/model/diagnostic.ts'

const problem: ReportedDiagnostic = {
  origin: 'build',
  severity: 'error',
  message: 'Expected ">"',
  file: 'src/App.tsx',
  line: 3,
  column: 10,
  frame: '2 | return (\n3 |   <div\n  |       ^',
  hint: 'close the tag',
  count: 2,
  revision: 7,
}

test('a diagnostic stands with its place, its frame and what would mend it', () => {
  expect(formatDiagnostics(new PassThrough(), [problem])).toBe(
    [
      '',
      '',
      'error  Expected ">" (2 times)',
      '  src/App.tsx:3:10',
      '    2 | return (',
      '    3 |   <div',
      '      |       ^',
      '  try: close the tag',
    ].join('\n'),
  )
})

test("a project's words cannot move the cursor or colour the terminal", () => {
  const hostile = {
    ...problem,
    message: '\x1b[2Jgone\x07',
    file: 'a\x1b[31m.ts',
    frame: '\x1b]0;title\x07x',
    hint: '\x9b1m',
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  expect(formatDiagnostics(new PassThrough(), [hostile])).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/)
})

test('server-sent events are read whatever the chunks are', async () => {
  const stream =
    'retry: 1000\n\n: still here\n\nevent: log\nid: 1\ndata: {"text":"a"}\n\nevent: end\ndata: null\n\n'
  const events = [
    { event: 'log', data: '{"text":"a"}' },
    { event: 'end', data: 'null' },
  ]
  for (const size of [1, 7, 1000]) {
    const chunks = stream.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
    expect(await Array.fromAsync(readEvents(toAsync(chunks)))).toEqual(events)
  }
})

async function* toAsync(chunks: string[]): AsyncGenerator<string> {
  yield* chunks
}

test('sizes, times and columns are short and aligned', () => {
  expect([0, 999, 1000, 54_321, 1_234_567, 9.9e12].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '54 kB',
    '1.2 MB',
    '9900 GB',
  ])
  expect([0.4, 85, 2140].map(formatMs)).toEqual(['0 ms', '85 ms', '2.1 s'])
  expect(
    table([
      ['a', 'long', 'x'],
      ['abc', 'b', ''],
    ]),
  ).toBe('a    long  x\nabc  b')
})
