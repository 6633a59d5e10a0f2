import { type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { Snapshot } from '../model/files.ts'

/** What a build needs to know of a package.json. */
export interface PackageJson {
  path: string
  scripts: ReadonlyMap<string, string>
  /** Names in dependencies and devDependencies. */
  dependencies: ReadonlySet<string>
  /** `engines.node`. */
  nodeRange?: string
}

const MAX_PACKAGE_JSON_BYTES = 1024 * 1024

/** Reads the package.json at `path`; what is wrong with it is a diagnostic with its line and column. */
export async function readPackageJson(snapshot: Snapshot, path: string): Promise<PackageJson | Diagnostic> {
  const entry = snapshot.files.get(path)
  if (entry && entry.size > MAX_PACKAGE_JSON_BYTES) {
    return invalid(path, `${path} is larger than ${MAX_PACKAGE_JSON_BYTES} bytes.`)
  }
  const text = (await snapshot.read(path)).toString('utf8').replace(/^\uFEFF/, '')
  try {
    const value: unknown = JSON.parse(text)
    if (!isRecord(value)) return invalid(path, `${path} does not hold a JSON object.`)
    const node = isRecord(value.engines) ? value.engines.node : undefined
    return {
      path,
      ...(typeof node === 'string' && { nodeRange: node }),
      scripts: new Map(stringEntries(value.scripts)),
      dependencies: new Set([...names(value.dependencies), ...names(value.devDependencies)]),
    }
  } catch (error) {
    return {
      ...invalid(path, `${path} is not valid JSON: ${String((error as Error).message)}`),
      ...locate(text),
    }
  }
}

function invalid(path: string, message: string): Diagnostic {
  return { origin: 'config', severity: 'error', code: 'INVALID_PACKAGE_JSON', message, file: path }
}

/** JSON.parse does not always say where; the tolerant parser does. */
function locate(text: string): Pick<Diagnostic, 'line' | 'column' | 'hint'> {
  const errors: ParseError[] = []
  parseTree(text, errors, { disallowComments: true, allowTrailingComma: false })
  const first = errors[0]
  if (!first) return {}
  const before = text.slice(0, first.offset).split('\n')
  const column = (before.at(-1)?.length ?? 0) + 1
  return { line: before.length, column, hint: `the parser says ${printParseErrorCode(first.error)}` }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function names(value: unknown): string[] {
  return isRecord(value) ? Object.keys(value) : []
}

function stringEntries(value: unknown): [string, string][] {
  if (!isRecord(value)) return []
  return Object.entries(value).flatMap(([key, item]) => (typeof item === 'string' ? [[key, item]] : []))
}
