import { expect, test } from 'vitest'
import { readInstalledTree, toEntries } from '../../src/environment/environment-tree.ts'
import type { OutputEntry } from '../../src/model/worker.ts'

async function* links(...entries: [path: string, target: string][]): AsyncGenerator<OutputEntry> {
  for (const [path, target] of entries) yield { kind: 'link', path, target }
}

test('Links into the store become absolute, links within the project stay relative', async () => {
  const tree = await readInstalledTree(
    links(
      ['web/node_modules/a', '../../../store/v11/links/a'],
      ['web/node_modules/lib', '../../lib'],
      ['elsewhere/link', '/etc'],
    ),
  )
  expect(tree.links).toEqual([
    ['web/node_modules/a', '/store/v11/links/a'],
    ['web/node_modules/lib', '../../lib'],
  ])
  expect(toEntries(tree.links, 'apps', 'apps/web').map((entry) => entry.path)).toEqual([
    'apps/web/node_modules/a',
    'apps/web/node_modules/lib',
    'node_modules',
  ])
})

test.each(['/etc/passwd', '../../../../etc', '/store', '/storefront/x', '/app/../etc'])(
  'An installer that makes a link to %s is not believed',
  async (target) => {
    await expect(readInstalledTree(links(['node_modules/a', target]))).rejects.toThrow('made a link')
  },
)
