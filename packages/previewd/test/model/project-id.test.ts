import { expect, test } from 'vitest'
import { checkProjectId, isProjectId } from '../../src/model/project-id.ts'

test.each(['a', '0', 'demo', 'my-app-1', 'a'.repeat(40)])('%j can name a project', (id) => {
  expect(isProjectId(id)).toBe(true)
})

test.each([
  '',
  'A',
  '-a',
  'a-',
  'a--b',
  'xn--bcher-kva',
  'a.b',
  'a/b',
  '..',
  'a_b',
  'é',
  'a\n',
  'a'.repeat(41),
  'www',
  'api',
  'localhost',
])('%j cannot name a project', (id) => {
  expect(isProjectId(id)).toBe(false)
  expect(() => checkProjectId(id)).toThrow(expect.objectContaining({ code: 'INVALID_PROJECT_ID' }))
})
