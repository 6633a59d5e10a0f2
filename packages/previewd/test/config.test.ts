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

it('reads the targets of proxies, and names what is none', () => {
  const resolveTargets = (PREVIEWD_PROXY_TARGETS: string) =>
    resolveConfig({ PREVIEWD_REGISTRY: 'https://registry.example', PREVIEWD_PROXY_TARGETS }).proxy.targets
  expect(resolveTargets('')).toEqual([])
  expect(resolveTargets('https://api.example.org, http://127.0.0.1:*')).toEqual([
    { protocol: 'https:', host: 'api.example.org', port: '' },
    { protocol: 'http:', host: '127.0.0.1', port: '*' },
  ])
  expect(() => resolveTargets('api.example.org')).toThrow(/PREVIEWD_PROXY_TARGETS: "api.example.org" is not/)
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
