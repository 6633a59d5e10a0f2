import type { Diagnostic } from '../model/diagnostic.ts'
import type { Snapshot } from '../model/files.ts'
import type { Found } from './found.ts'
import { readPackageJson } from './package-json.ts'

const MAX_SOURCE_BYTES = 1024 * 1024
const MAX_JSON_FILES = 200

/** Looks up in the source what the tool did not say: the line of an import, or which JSON file is broken. */
export async function locate(found: Found, snapshot: Snapshot): Promise<Diagnostic> {
  const { findImport, findInvalidJson, ...diagnostic } = found
  if (diagnostic.line !== undefined) return diagnostic
  if (findImport !== undefined && diagnostic.file !== undefined) {
    return { ...diagnostic, ...(await importPlace(diagnostic.file, findImport, snapshot)) }
  }
  return findInvalidJson ? { ...diagnostic, ...(await invalidJson(snapshot)) } : diagnostic
}

async function importPlace(file: string, name: string, snapshot: Snapshot): Promise<Partial<Diagnostic>> {
  const entry = snapshot.files.get(file)
  if (!entry || entry.size > MAX_SOURCE_BYTES) return {}
  const source = (await snapshot.read(file)).toString('utf8')
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
