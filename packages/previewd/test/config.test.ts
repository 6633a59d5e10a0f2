import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { resolveConfig } from '../src/config.ts'

it('takes a data directory that is named from where the server was started', () => {
  expect(
    resolveConfig({ PREVIEWD_REGISTRY: 'https://registry.example', PREVIEWD_DATA: 'data' }).dataDir,
  ).toBe(resolve('data'))
})

/** A folder for PATH with an npm that answers this. */
function pathWithNpm(answer: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'previewd-npm-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'npm'), `#!/bin/sh\necho ${answer}\n`)
  chmodSync(join(folder, 'npm'), 0o755)
  return folder
}

it('installs from the registry that npm is set to, unless one is named', () => {
  const PATH = pathWithNpm('https://mirror.example/npm/')
  expect(resolveConfig({ PATH }).registry.url).toBe('https://mirror.example/npm/')
  expect(resolveConfig({ PATH, PREVIEWD_REGISTRY: 'https://registry.example' }).registry.url).toBe(
    'https://registry.example',
  )
})

it.each(['undefined', ''])('says what to set where npm answers "%s"', (answer) => {
  expect(() => resolveConfig({ PATH: pathWithNpm(answer) })).toThrow(/set PREVIEWD_REGISTRY/)
  expect(() => resolveConfig({ PATH: '/nonexistent' })).toThrow(/set PREVIEWD_REGISTRY/)
})
