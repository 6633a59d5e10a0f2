import { expect, it } from 'vitest'
import { nearNames } from '../../src/build/near-name.ts'
import { memorySnapshot } from './memory-snapshot.ts'

const { files } = memorySnapshot({
  'src/App.tsx': '',
  'src/components/Button.tsx': '',
  'src/components/index.ts': '',
  'src/lib/utils.ts': '',
})

it.each([
  ['src/app', 'src/App.tsx'],
  ['src/components/button', 'src/components/Button.tsx'],
  ['src/components/Buton', 'src/components/Button.tsx'],
  ['src/utils', 'src/lib/utils.ts'],
  ['src/Components', 'src/components/index.ts'],
])('finds what %s may have meant', (wanted, found) => {
  expect(nearNames(wanted, files)[0]).toBe(found)
})

it('suggests nothing where nothing is near', () => {
  expect(nearNames('src/pages/Dashboard', files)).toEqual([])
})
