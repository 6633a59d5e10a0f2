import { expect, test } from 'vitest'
import { translateOverrides } from '../../src/environment/overrides.ts'

test('Overrides of every package manager are written in the form of pnpm', () => {
  const manifest = {
    dependencies: { react: '^18.0.0' },
    overrides: {
      plain: '1.0.0',
      'ranged@^2': '2.1.0',
      parent: { '.': '3.0.0', child: '4.0.0', deeper: { deepest: '5.0.0' } },
      reference: '$react',
    },
    resolutions: {
      '**/glob': '1.1.0',
      'a/b': '1.2.0',
      '@scope/a/**/@scope/b': '1.3.0',
      'berry@npm:^1.0.0': 'npm:1.4.0',
    },
    pnpm: { overrides: { 'x@1>y': '1.5.0', 'q@>=1.0.0 <2': '1.6.0', gone: '-' } },
  }
  expect(translateOverrides(manifest, { overrides: { plain: '9.0.0' } })).toEqual({
    refused: [],
    ignored: [],
    entries: {
      plain: '9.0.0',
      'ranged@^2': '2.1.0',
      parent: '3.0.0',
      'parent>child': '4.0.0',
      'deeper>deepest': '5.0.0',
      reference: '^18.0.0',
      glob: '1.1.0',
      'a>b': '1.2.0',
      '@scope/a>@scope/b': '1.3.0',
      'berry@^1.0.0': '1.4.0',
      'x@1>y': '1.5.0',
      'q@>=1.0.0 <2': '1.6.0',
      gone: '-',
    },
  })
})

test.each([
  [{ a: 'git+https://example.com/a.git' }, 'git'],
  [{ a: 'file:../../etc' }, 'version'],
  [{ a: '$missing' }, 'not a dependency'],
])('An override that leads outside the registry is refused: %j', (overrides, reason) => {
  const { entries, refused } = translateOverrides({ overrides }, undefined)
  expect(entries).toEqual({})
  expect(refused[0]?.reason).toContain(reason)
})

test.each(['../a', 'a>b>c', 'a b', 'a@git+https://x'])(
  'A selector that is not understood is ignored: %s',
  (selector) => {
    const overrides = translateOverrides({ pnpm: { overrides: { [selector]: '1.0.0' } } }, undefined)
    expect(overrides).toEqual({ entries: {}, refused: [], ignored: [selector] })
  },
)
