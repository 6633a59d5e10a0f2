import { expect, test } from 'vitest'
import { coherent, isThere, referencesOf } from '../src/references.ts'

test.each([
  ['src/App.tsx', `import Header from './Header'\nimport './app.css'`, ['src/Header', 'src/app.css']],
  ['src/App.tsx', `export * from "../lib/x"`, ['lib/x']],
  ['src/App.tsx', `const Page = lazy(() => import('./pages/Home.tsx'))`, ['src/pages/Home.tsx']],
  ['src/ui/card.tsx', `import { cn } from '@/lib/utils'`, ['src/lib/utils']],
  ['web/src/App.tsx', `import { cn } from '~/lib/utils'`, ['web/src/lib/utils']],
  ['src/App.tsx', `import logo from './logo.svg?raw'`, ['src/logo.svg']],
  ['src/App.tsx', `import { useState } from 'react'\nimport '@scope/x'`, []],
  ['src/App.vue', `<script setup>\nimport A from './A.vue'\n</script>`, ['src/A.vue']],
  [
    'src/index.css',
    `@import './theme.css';\n@import url("base.css");\n@import "tailwindcss";`,
    ['src/theme.css'],
  ],
  ['index.html', `<script type="module" src="/src/main.tsx"></script>`, ['src/main.tsx']],
  ['web/index.html', `<script type="module" src="./main.js?v=1"></script>`, ['web/main.js']],
  ['index.html', `<link rel="stylesheet" href="/a.css"><link rel="icon" href="/icon.svg">`, ['a.css']],
  ['index.html', `<script src="https://cdn.example/x.js"></script><script src="//x/y.js"></script>`, []],
  ['README.md', `import './x'`, []],
])('%s needs the files that it names: %s', (path, content, references) => {
  expect(referencesOf(path, content)).toEqual(references)
})

test.each([
  ['src/a.ts', `from${' '.repeat(600_000)}`],
  ['src/a.ts', 'import('.repeat(80_000)],
  ['src/a.css', `@import${' '.repeat(600_000)}`.repeat(2)],
  ['a.html', '<script '.repeat(80_000)],
])('%s may be made to be searched for ever', (path, content) => {
  expect(referencesOf(path, content)).toEqual([])
})

test.each([
  ['src/Header', 'src/Header.tsx'],
  ['src/pages', 'src/pages/index.ts'],
  ['src/data.json', 'src/data.json'],
  ['src/x.js', 'src/x.ts'],
  ['src/x.js', 'src/x.tsx'],
  ['src/x.mjs', 'src/x.mts'],
])('%s is there as %s', (reference, path) => {
  expect(isThere(reference, (asked) => asked === path)).toBe(true)
  expect(isThere(reference, (asked) => asked === `other/${path}`)).toBe(false)
})

const group = (files: Record<string, string[]>, there: string[] = []) =>
  [...coherent(new Map(Object.entries(files)), (path) => there.includes(path))].toSorted()

test('files that need one another go together', () => {
  expect(group({ 'a.ts': ['b'], 'b.ts': ['a'] })).toEqual(['a.ts', 'b.ts'])
})

test('a file waits for what it needs, and so does what needs it', () => {
  const files = { 'main.ts': ['app'], 'app.ts': ['gone'], 'free.ts': [] }
  expect(group(files)).toEqual(['free.ts'])
  expect(group(files, ['gone.ts'])).toEqual(['app.ts', 'free.ts', 'main.ts'])
})
