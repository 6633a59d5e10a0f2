import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { ERRORS } from '../../src/errors.ts'
import { commandLineForTests } from '../cli/command-line-for-tests.ts'
import { readSourceTree, SOURCE_ROOT } from './source-tree.ts'

const projectRoot = join(SOURCE_ROOT, '../../..')
const read = (path: string) => readFileSync(join(projectRoot, path), 'utf8')

test('docs/configuration.md has every variable that config.ts reads, and no other', () => {
  const inCode = names(read('packages/previewd/src/config.ts'), /^ {2}(PREVIEWD_\w+):/gm)
  const inDocument = names(read('docs/configuration.md'), /^\| `(PREVIEWD_\w+)`/gm)
  expect(inDocument).toEqual(inCode)
})

test('docs/errors.md has every error code with its status, and no other', () => {
  const inDocument = [...read('docs/errors.md').matchAll(/^\| `([A-Z_]+)` \| (\d{3}) /gm)]
  const documented = Object.fromEntries(inDocument.map(([, code, status]) => [code, Number(status)]))
  expect(documented).toEqual(
    Object.fromEntries(Object.entries(ERRORS).map(([code, [status]]) => [code, status])),
  )
})

test('docs/cli.md has every command with every option, and no other', () => {
  const text = read('docs/cli.md')
  const commands = leaves(createProgram(commandLineForTests().line, '0.0.0'), [])
  const sections = names(text, /^### `previewd ([a-z ]+)/gm).map((name) => name.trim())
  expect(sections).toEqual(commands.map(({ name }) => name).toSorted())
  const missing = commands.flatMap(({ name, options }) => {
    const section = text.split(/^### /m).find((part) => part.startsWith(`\`previewd ${name}`)) ?? ''
    return options.filter((option) => !section.includes(option)).map((option) => `${name} ${option}`)
  })
  expect(missing).toEqual([])
})

test('the tour of the architecture names every folder, and no other', () => {
  const inDocument = names(read('ARCHITECTURE.md'), /`([a-z]+)\/`/g)
  const inTree = readSourceTree().flatMap(({ path }) =>
    path.includes('/') ? [path.split('/')[0] ?? ''] : [],
  )
  expect(inDocument).toEqual([...new Set(inTree)].toSorted())
})

/** The options that every command for a server has stand once, at the top of the document. */
const SHARED = ['--url', '--key', '--json']

function leaves(command: Command, path: string[]): { name: string; options: string[] }[] {
  if (command.commands.length > 0)
    return command.commands.flatMap((sub) => leaves(sub, [...path, sub.name()]))
  const options = command.options.flatMap(({ long }) => (long && !SHARED.includes(long) ? [long] : []))
  return [{ name: path.join(' '), options }]
}

function names(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))].toSorted()
}
