import { expect, it } from 'vitest'
import { TellingLine } from '../../src/session/telling-line.ts'

const telling = (lines: readonly string[]): string => {
  const telling = new TellingLine()
  for (const line of lines) telling.push(line)
  return telling.text
}

it('is the error that a program ended with, not its stack or the last words of others', () => {
  const lines = [
    'file:///app/eslint.config.mjs:1',
    "import withNuxt from './.nuxt/eslint.config.mjs'",
    '       ^^^^^^^^',
    "SyntaxError: The requested module './.nuxt/eslint.config.mjs' does not provide an export",
    '    at #asyncInstantiate (node:internal/modules/esm/module_job:455:21)',
    'Node.js v24.21.0',
    'goroutine 1 [chan receive]:',
    'created by github.com/evanw/esbuild/internal/bundler.ScanBundle',
    '\tgithub.com/evanw/esbuild/internal/bundler/bundler.go:1538 +0xcff',
  ]
  expect(telling(lines)).toBe(lines[3])
})

it('is the newest of several errors, and the last line where there is none', () => {
  expect(telling(['TypeError: first', 'RangeError: second', 'bye'])).toBe('RangeError: second')
  expect(telling(['starting', '', 'no port is free'])).toBe('no port is free')
})

it('is no error of long ago', () => {
  const served = Array.from({ length: 40 }, (_, n) => `request ${n}`)
  expect(telling(['TypeError: of one request', ...served, 'killed'])).toBe('killed')
})
