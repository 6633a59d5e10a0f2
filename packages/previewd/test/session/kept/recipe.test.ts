import { describe, expect, test } from 'vitest'
import type { Snapshot } from '../../../src/model/files.ts'
import { bundleRecipe } from '../../../src/session/kept/recipe.ts'

const ENVIRONMENT = { key: 'e1', entries: [], binds: [] }
const APP = {
  'package.json': '{"type":"module","dependencies":{"react":"1","@radix-ui/react-slot":"1","swiper":"1"}}',
  'index.html': '<script type="module" src="/src/main.tsx"></script>',
  'vite.config.ts': 'import react from "@vitejs/plugin-react"\nexport default { plugins: [react()] }',
  'src/main.tsx': `import React, { useState } from 'react'
import { Slot } from "@radix-ui/react-slot"
import type { Swiper } from 'swiper/types'
import 'swiper/css/bundle.css'
import { Button } from '@/components/button'
const Late = () => import('swiper/react')`,
}

function snapshotOf(files: Record<string, string>): Snapshot {
  const entries = Object.entries(files).map(
    ([path, text]) => [path, { path, size: text.length, sha256: '' }] as const,
  )
  return {
    project: 'p',
    revision: 1,
    files: new Map(entries),
    read: async (path) => Buffer.from(files[path] ?? ''),
    stream: () => {
      throw new Error('nothing here is large')
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

const recipeOf = (files: Record<string, string>, root = '', key = 'e1') =>
  bundleRecipe(snapshotOf(files), {
    root,
    task: { kind: 'vite-dev', root: `/app/${root}`, env: { VITE_SECRET: 'x' } },
    environment: { ...ENVIRONMENT, key },
    program: undefined,
  })

describe('the recipe of a bundle', () => {
  test('names the dependencies that the sources import, and nothing else of them', async () => {
    const recipe = await recipeOf(APP)
    expect(recipe?.files.get('previewd-entry.js')?.toString()).toBe(
      'import "@radix-ui/react-slot"\nimport "react"\nimport "swiper/react"\n',
    )
    expect([...(recipe?.files.keys() ?? [])].sort()).toEqual([
      'index.html',
      'package.json',
      'previewd-entry.js',
      'vite.config.ts',
    ])
    expect(recipe?.files.get('package.json')?.toString()).toBe('{"type":"module"}')
  })

  test('is the same for projects that import the same, whatever else they say', async () => {
    const other = {
      ...APP,
      'src/main.tsx': `import 'swiper/react'; import { Slot } from '@radix-ui/react-slot'`,
      'src/more.tsx': `import 'react'; export const more = 'something else'`,
    }
    expect((await recipeOf(other))?.key).toBe((await recipeOf(APP))?.key)
  })

  test.each([
    ['other packages', APP, 'e2'],
    ['another configuration', { ...APP, 'vite.config.ts': `${APP['vite.config.ts']}\n` }, 'e1'],
    ['another lockfile', { ...APP, 'package-lock.json': '{}' }, 'e1'],
    ['another import', { ...APP, 'src/more.ts': `import 'swiper'` }, 'e1'],
  ])('is another one with %s', async (_, files, key) => {
    expect((await recipeOf(files, '', key))?.key).not.toBe((await recipeOf(APP))?.key)
  })

  test.each([
    ['spaces', `from${' '.repeat(400_000)}`],
    ['parentheses', 'import('.repeat(60_000)],
    ['types', 'import type '.repeat(40_000)],
    ['a name', `from '${'a/'.repeat(200_000)}`],
  ])('is found in sources that are made to be searched for ever: %s', async (_, text) => {
    const files = { ...APP, 'src/hostile.ts': text }
    expect((await recipeOf(files))?.key).toBe((await recipeOf(APP))?.key)
    expect(await recipeOf({ ...APP, 'vite.config.ts': `${text}${' '.repeat(600_000)}` })).toBe(undefined)
  })

  test('does not exist where the configuration brings in other files, or nothing is imported', async () => {
    expect(await recipeOf({ ...APP, 'vite.config.ts': `import x from './x.js'\nexport default x` })).toBe(
      undefined,
    )
    expect(await recipeOf({ ...APP, 'src/main.tsx': '' })).toBe(undefined)
    expect(await recipeOf({ ...APP, 'package.json': 'not JSON' })).toBe(undefined)
  })

  test('is that of the folder in which the app is', async () => {
    const inFolder = Object.fromEntries(Object.entries(APP).map(([path, text]) => [`web/${path}`, text]))
    const recipe = await recipeOf({ ...inFolder, 'other/a.ts': `import 'swiper'` }, 'web')
    expect(recipe?.files.has('web/previewd-entry.js')).toBe(true)
    expect(recipe?.files.get('web/previewd-entry.js')?.toString()).not.toContain('"swiper"')
  })
})
