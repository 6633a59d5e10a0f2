import { readdirSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { expect, test } from 'vitest'
import { importCycles, partOf, wrongImports } from './layers.ts'
import { parseSource, readSourceTree, SOURCE_ROOT } from './source-tree.ts'

const files = readSourceTree()

test('imports go one way: lib, model, stages, pipeline, api and cli, composition root', () => {
  expect(wrongImports(files)).toEqual([])
})

test('a stage that imports another stage, a layer above or the settings themselves is found', () => {
  const wrong = [
    parseSource('store/a.ts', "import { b } from '../sync/b.ts'\n"),
    parseSource('lib/c.ts', "import type { d } from '../model/d.ts'\n"),
    parseSource('build/e.ts', "import {\n  resolveConfig,\n} from '../config.ts'\n"),
    parseSource('pipeline/f.ts', "const daemon = await import('../daemon.ts')\n"),
    parseSource('fresh/g.ts', "export { h } from '../lib/h.ts'\n"),
  ]
  expect(wrongImports(wrong)).toHaveLength(5)
  expect(wrongImports([parseSource('build/i.ts', "import type { Config } from '../config.ts'\n")])).toEqual(
    [],
  )
})

test('no files import one another in a circle', () => {
  expect(importCycles(files)).toEqual([])
})

test('a circle of three files is found', () => {
  const circle = [
    parseSource('lib/a.ts', "import { b } from './b.ts'\n"),
    parseSource('lib/b.ts', "import { c } from './c.ts'\n"),
    parseSource('lib/c.ts', "import type { a } from './a.ts'\nimport { d } from './d.ts'\n"),
    parseSource('lib/d.ts', ''),
  ]
  expect(importCycles(circle)).toEqual([['lib/a.ts', 'lib/b.ts', 'lib/c.ts']])
})

test('the child half of a worker imports its protocol, lib and Node alone', () => {
  const child = files.filter(({ path }) => /^worker\/entry[^/]*\.ts$/.test(path))
  const outside = child.flatMap(({ path, imports }) =>
    imports
      .filter(({ target, typeOnly }) => {
        if (isBuiltin(target) || /^worker\/(entry[^/]*|protocol)\.ts$/.test(target)) return false
        return partOf(target) !== 'lib' && !(typeOnly && partOf(target) === 'model')
      })
      .map(({ target }) => `${path} imports ${target}`),
  )
  expect(child).not.toEqual([])
  expect(outside).toEqual([])
})

test('every folder of the source tree has its tests', () => {
  const folders = readdirSync(SOURCE_ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const tested = readdirSync(`${SOURCE_ROOT}/../test`)
  expect(folders.map(({ name }) => name).filter((name) => !tested.includes(name))).toEqual([])
})
