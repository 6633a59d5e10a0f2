import { expect, test } from 'vitest'
import { isEnvSetName } from '../../src/model/env-set.ts'

test.each(['staging', 'preview', 'a', 'qa-2', 'a23456789012345678-b'])('%s can name an env set', (name) => {
  expect(isEnvSetName(name)).toBe(true)
})

test.each([
  '',
  'Staging',
  '2a',
  '-a',
  'a-',
  'a--b',
  'a_b',
  'a.b',
  'a'.repeat(21),
  'experimental',
  'build0000001',
])('"%s" cannot: it is no part of a label, or could be the id of a build', (name) => {
  expect(isEnvSetName(name)).toBe(false)
})
