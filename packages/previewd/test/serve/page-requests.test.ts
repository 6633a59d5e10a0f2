import { expect, test } from 'vitest'
import { SeenRequests } from '../../src/serve/session/page-requests.ts'

const module = (url: string) => ({ url, accept: 'any', isModule: true }) as const

test('the next page is told of modules as they were asked for last', () => {
  const requests = new SeenRequests()
  requests.note('demo', module('/src/a.ts'), 'one')
  requests.note('demo', module('/src/b.ts'), 'one')
  requests.note('demo', module('/src/a.ts?t=1700000000000'), 'one')
  expect(requests.modules('demo', 'one')).toEqual(['/src/a.ts?t=1700000000000', '/src/b.ts'])
})

test('of another dev server it is told of sources, and not of the bundle of dependencies that was before', () => {
  const requests = new SeenRequests()
  const bundled = '/node_modules/.vite/deps/react.js?v=02c0192a'
  requests.note('demo', module(bundled), 'one')
  requests.note('demo', module('/src/a.ts'), 'one')
  expect(requests.modules('demo', 'one')).toEqual([bundled, '/src/a.ts'])
  expect(requests.modules('demo', 'two')).toEqual(['/src/a.ts'])
  requests.note('demo', module(bundled), 'two')
  expect(requests.modules('demo', 'two')).toEqual([bundled, '/src/a.ts'])
})

test('what the dev server has not got any more is not asked for again', () => {
  const requests = new SeenRequests()
  requests.note('demo', module('/src/a.ts?t=1700000000000'), 'one')
  requests.drop('demo', module('/src/a.ts'))
  expect(requests.of('demo')).toEqual([])
})
