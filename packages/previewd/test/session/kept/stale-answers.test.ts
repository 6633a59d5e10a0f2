import { expect, test } from 'vitest'
import type { PageRequest } from '../../../src/model/session.ts'
import { findStale } from '../../../src/session/kept/stale-answers.ts'

const MODULES = [
  { path: '/src/main.ts', file: 'src/main.ts', importers: [] },
  { path: '/src/a b.ts', file: 'src/a b.ts', importers: [0] },
  { path: '/src/a b.ts', file: 'src/a b.ts', importers: [3] },
  { path: '/src/style.css', file: 'src/style.css', importers: [] },
  { path: '/@id/__x00__virtual:pages', isMadeUp: true, importers: [] },
  { path: '/node_modules/.vite/deps/vue.js', importers: [] },
  { path: '/src/data.json', file: 'src/data.json', importers: [7] },
  { path: '/src/chart.ts', file: 'src/chart.ts', importers: [6] },
  { path: '/src/settings.ts', file: '.env.shown', importers: [] },
]
const FILES = [...new Set(MODULES.flatMap(({ file }) => file ?? []))].map((path) => ({ path }))
const ALL = [
  '/src/main.ts',
  '/src/a%20b.ts',
  '/src/a%20b.ts?vue&type=style&lang.css',
  '/src/style.css',
  '/@id/__x00__virtual:pages',
  '/node_modules/.vite/deps/vue.js?v=01234567',
  '/src/data.json?import',
  '/src/chart.ts',
  '/of-no-module.svg',
  '/%',
]

const modified = (...paths: string[]) => paths.map((path) => ({ path, kind: 'modified' as const }))
const asked = (url: string, accept: PageRequest['accept'] = 'any') => ({ url, accept, isModule: true })

function staleAfter(...paths: string[]): string[] | undefined {
  const isStale = findStale({ pageFile: 'index.html', modules: MODULES, files: FILES }, modified(...paths))
  return isStale && ALL.filter((url) => isStale(asked(url)))
}

/** Whatever the files are: nobody knows what these are made of. */
const ALWAYS = ['/@id/__x00__virtual:pages', '/of-no-module.svg', '/%']

test('nothing is stale where nothing has changed', () => {
  const isStale = findStale({ pageFile: 'index.html', files: FILES }, [])
  expect(ALL.filter((url) => isStale?.(asked(url)))).toEqual([])
})

test('what was made of a changed file is stale, and all whose code depends on that', () => {
  const made = ['/src/main.ts', '/src/a%20b.ts', '/src/a%20b.ts?vue&type=style&lang.css', '/src/style.css']
  expect(staleAfter('src/a b.ts')).toEqual([...made, ...ALWAYS])
  // Whose modules depend on each other.
  expect(staleAfter('src/chart.ts')?.toSorted()).toEqual(
    ['/src/chart.ts', '/src/data.json?import', ...ALWAYS].toSorted(),
  )
})

test('pages are stale after a change of one of them alone', () => {
  const modules = [...MODULES, { path: '/about.html', file: 'about.html', importers: [] }]
  const files = [...FILES, { path: 'about.html' }, { path: 'index.html' }]
  const isStale = (path: string) => findStale({ pageFile: 'index.html', modules, files }, modified(path))
  expect(isStale('about.html')?.(asked('/about.html', 'page'))).toBe(true)
  expect(isStale('index.html')?.(asked('/deep/link', 'page'))).toBe(true)
  expect(isStale('src/main.ts')?.(asked('/deep/link', 'page'))).toBe(false)
})

test('pages are stale after a change of what a stylesheet in one of them is made of', () => {
  const modules = [
    { path: '/@fs//app/theme.css', file: 'theme.css', importers: [1] },
    { path: '/index.html', file: 'index.html', importers: [] },
  ]
  const files = [{ path: 'theme.css' }, { path: 'index.html' }]
  const isStale = findStale({ pageFile: 'index.html', modules, files }, modified('theme.css'))
  expect(isStale?.(asked('/', 'page'))).toBe(true)
})

test('what has the name of a file that the project has not got is stale after every change', () => {
  const modules = [
    { path: '/src/main.ts', file: 'src/main.ts', importers: [] },
    { path: '/src/main.ts.made-up.css', file: 'src/main.ts.made-up.css', importers: [] },
    { path: '/src/style.css', file: 'src/style.css', importers: [] },
  ]
  const files = [{ path: 'src/main.ts' }, { path: 'src/style.css' }]
  const isStale = findStale({ pageFile: 'index.html', modules, files }, modified('src/style.css'))
  expect(isStale?.(asked('/src/main.ts.made-up.css'))).toBe(true)
  expect(isStale?.(asked('/src/main.ts'))).toBe(false)
})

test('everything may be another after a change of what is no module, of settings, or of which files there are', () => {
  expect(staleAfter('postcss.config.js')).toBeUndefined()
  expect(staleAfter('src/main.ts', 'README.md')).toBeUndefined()
  expect(staleAfter('.env.shown')).toBeUndefined()
  const of = { pageFile: 'index.html', modules: MODULES, files: FILES }
  expect(findStale(of, [{ path: 'src/main.ts', kind: 'deleted' }])).toBeUndefined()
  expect(findStale(of, [{ path: 'src/new.ts', kind: 'added' }])).toBeUndefined()
  expect(findStale({ pageFile: 'index.html', files: FILES }, modified('src/main.ts'))).toBeUndefined()
})

test('a list of modules that points nowhere ends well', () => {
  const modules = [{ path: '/a.js', file: 'a.js', importers: [5, 0] }]
  const files = [{ path: 'a.js' }]
  const isStale = findStale({ pageFile: 'index.html', modules, files }, modified('a.js'))
  expect(isStale?.(asked('/a.js'))).toBe(true)
})
