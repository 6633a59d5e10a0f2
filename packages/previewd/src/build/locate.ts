import type { Diagnostic } from '../model/diagnostic.ts'
import type { Snapshot } from '../model/files.ts'
import type { Found } from './found.ts'
import { readPackageJson } from './package-json.ts'

const MAX_SOURCE_BYTES = 1024 * 1024
const MAX_JSON_FILES = 200

/** Another tool makes code of these first, so that an error in it is at no place of theirs. */
const COMPILED = /\.(?:astro|vue|svelte|mdx?)$/

/**
 * Looks up in the source what the tool did not say: the line of an import, which JSON file is broken, or where the line
 * stands that it quotes of code that was made of the file.
 */
export async function locate(found: Found, snapshot: Snapshot): Promise<Diagnostic> {
  const { findImport, findInvalidJson, findLine, ...diagnostic } = found
  if (findLine !== undefined) return await quotedPlace(diagnostic, findLine, snapshot)
  if (diagnostic.line !== undefined) return diagnostic
  if (findImport !== undefined && diagnostic.file !== undefined) {
    return { ...diagnostic, ...(await importPlace(diagnostic.file, findImport, snapshot)) }
  }
  return findInvalidJson ? { ...diagnostic, ...(await invalidJson(snapshot)) } : diagnostic
}

async function quotedPlace(diagnostic: Diagnostic, quoted: string, snapshot: Snapshot): Promise<Diagnostic> {
  const { file = '', line = 0, column } = diagnostic
  const lines = (await sourceOf(file, snapshot))?.split(/\r?\n/)
  const text = quoted.trim()
  if (!lines || text === '' || lines[line - 1]?.trim() === text) return diagnostic
  const at = lines.findIndex((candidate) => candidate.trim() === text)
  if (at >= 0 && at === lines.findLastIndex((candidate) => candidate.trim() === text)) {
    const shift = (lines[at] ?? '').indexOf(text) - quoted.indexOf(text)
    return { ...diagnostic, line: at + 1, ...(column !== undefined && { column: column + shift }) }
  }
  if (!COMPILED.test(file)) return diagnostic
  const { line: _line, column: _column, ...placeless } = diagnostic
  const hint = `the error is in the code that is made of this file, at "${text.slice(0, 200)}"; look in the file for a quote, brace or tag that is not closed`
  return { ...placeless, hint: diagnostic.hint ?? hint }
}

async function sourceOf(file: string, snapshot: Snapshot): Promise<string | undefined> {
  const entry = snapshot.files.get(file)
  if (!entry || entry.size > MAX_SOURCE_BYTES) return undefined
  return (await snapshot.read(file)).toString('utf8')
}

async function importPlace(file: string, name: string, snapshot: Snapshot): Promise<Partial<Diagnostic>> {
  const source = await sourceOf(file, snapshot)
  if (source === undefined) return {}
  const at = [`'${name}'`, `"${name}"`, `\`${name}\``, `(${name})`].map((quoted) => source.indexOf(quoted))
  const found = at.filter((index) => index >= 0).sort((a, b) => a - b)[0]
  if (found === undefined) return {}
  const before = source.slice(0, found).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}

async function invalidJson(snapshot: Snapshot): Promise<Partial<Diagnostic>> {
  const candidates = [...snapshot.files.keys()].filter(
    (path) => /\.json$/.test(path) && !/tsconfig[^/]*$/.test(path),
  )
  for (const path of candidates.slice(0, MAX_JSON_FILES)) {
    const problem = await readPackageJson(snapshot, path)
    if (!('severity' in problem) || problem.line === undefined) continue
    return { file: path, line: problem.line, ...(problem.column !== undefined && { column: problem.column }) }
  }
  return {}
}
