import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '../../../..')

it('docs/diagnostics.md has every code that builds give', () => {
  const folder = join(root, 'packages/previewd/src/build')
  const source = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))
  const given = source
    .join('\n')
    .matchAll(/(?:code: |\? |: |(?:ended|problem)\(\n?\s*)'([A-Z]+(?:_[A-Z]+)+)'/g)
  const documented = readFileSync(join(root, 'docs/diagnostics.md'), 'utf8').matchAll(/^\| `([A-Z_]+)` \|/gm)
  const inDocument = new Set([...documented].map(([, code]) => code))
  const missing = [...given].map(([, code]) => code).filter((code) => !inDocument.has(code))
  expect(missing).toEqual([])
})
