import { expect, test } from 'vitest'
import { fittingMajor } from '../../src/model/node-version.ts'

test.each([
  ['20', 20],
  ['22.x', 22],
  ['20.11.0', 20],
  ['>=20', 24],
  ['^20 || ^22', 22],
  ['>=18 <21', 20],
  ['<22', 20],
  ['24', 24],
  ['*', 24],
  ['18', undefined],
  ['26', undefined],
  ['not a range', undefined],
])("the Node for %s is the server's own where it fits, else the newest that does", (range, major) => {
  expect(fittingMajor(range, { own: 24, others: [20, 22] })).toBe(major)
})
