import { expect, test } from 'vitest'
import { changePackages } from '../../src/session/changes.ts'

test.each([
  ['package.json', true],
  ['apps/web/package.json', true],
  ['pnpm-lock.yaml', true],
  ['.nvmrc', true],
  ['web/.node-version', true],
  ['src/main.ts', false],
  ['src/package.json.ts', false],
])('a change of %s asks for other packages or another Node: %s', (path, expected) => {
  expect(changePackages([{ path, kind: 'modified' }])).toBe(expected)
})
