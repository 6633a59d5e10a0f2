import { expect, it } from 'vitest'
import { readCheckLog } from '../../src/build/check-log.ts'
import { memorySnapshot } from './memory-snapshot.ts'

const place = { files: memorySnapshot({ 'src/a.ts': '', 'src/App.svelte': '' }).files, root: '' }

it('reads what tsc prints, with the lines that explain', () => {
  const lines = [
    "src/a.ts(3,5): error TS2322: Type '{ a: string; }' is not assignable to type 'B'.",
    "  Types of property 'a' are incompatible.",
    "src/a.ts(9,1): error TS1005: ';' expected.",
  ]
  expect(readCheckLog(lines, place)).toEqual([
    {
      origin: 'type',
      severity: 'error',
      code: 'TS2322',
      message:
        "Type '{ a: string; }' is not assignable to type 'B'.\n  Types of property 'a' are incompatible.",
      file: 'src/a.ts',
      line: 3,
      column: 5,
    },
    {
      origin: 'type',
      severity: 'error',
      code: 'TS1005',
      message: "';' expected.",
      file: 'src/a.ts',
      line: 9,
      column: 1,
    },
  ])
})

it('reads the coloured form of tsc and vue-tsc', () => {
  const lines = [
    '\u001b[96msrc/a.ts\u001b[0m:\u001b[93m3\u001b[0m:\u001b[93m5\u001b[0m - \u001b[91merror\u001b[0m\u001b[90m TS2304: \u001b[0mCannot find name.',
  ]
  expect(readCheckLog(lines, place)).toMatchObject([{ code: 'TS2304', file: 'src/a.ts', line: 3, column: 5 }])
})

it('reads an error of tsc that has no place', () => {
  const lines = ["error TS5083: Cannot read file '/app/tsconfig.json'."]
  expect(readCheckLog(lines, place)).toMatchObject([
    { code: 'TS5083', message: "Cannot read file 'tsconfig.json'." },
  ])
})

it('reads what svelte-check prints', () => {
  const lines = [
    '/app/src/App.svelte:5:3',
    "Error: Type 'string' is not assignable to type 'number'. (ts)",
    '',
  ]
  expect(readCheckLog(lines, place)).toMatchObject([
    {
      file: 'src/App.svelte',
      line: 5,
      column: 3,
      message: "Type 'string' is not assignable to type 'number'. (ts)",
    },
  ])
})

it('finds nothing in other words', () => {
  expect(readCheckLog(['Found 3 errors.', 'watching'], place)).toEqual([])
})
