import { findNodeAtLocation, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import type { Diagnostic } from '../model/diagnostic.ts'

export const DEPENDENCY_FIELDS = ['dependencies', 'devDependencies', 'optionalDependencies'] as const
export type DependencyField = (typeof DEPENDENCY_FIELDS)[number]

/** One package.json of a project, as far as installing needs it. */
export interface PackageManifest {
  /** Path of the file inside the project. */
  file: string
  /** Folder of it; '' is the top. */
  folder: string
  text: string
  json: Record<string, unknown>
}

export type ManifestResult = { manifest: PackageManifest } | { diagnostic: Diagnostic }

const MAX_BYTES = 1024 * 1024

/** Parses package.json as strict JSON after an optional byte order mark. */
export function parsePackageManifest(file: string, bytes: Buffer): ManifestResult {
  const text = bytes
    .subarray(0, MAX_BYTES)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
  if (bytes.length > MAX_BYTES) return invalid(file, text, 0, 'package.json is larger than 1 MiB')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return explainSyntax(file, text)
  }
  const json = toRecord(value)
  if (json === undefined) return invalid(file, text, 0, 'package.json is not a JSON object')
  const folder = file.includes('/') ? file.slice(0, file.lastIndexOf('/')) : ''
  return { manifest: { file, folder, text, json } }
}

function explainSyntax(file: string, text: string): ManifestResult {
  const errors: ParseError[] = []
  parseTreeOf(text, errors)
  const first = errors[0]
  if (first === undefined) return invalid(file, text, 0, 'package.json is not valid JSON')
  const words = printParseErrorCode(first.error)
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
  return invalid(file, text, first.offset, `package.json is not valid JSON: ${words}`)
}

/** The parser is recursive, and text nested thousands of levels deep ends its stack. */
function parseTreeOf(text: string, errors: ParseError[] = []): Node | undefined {
  try {
    return parseTree(text, errors, { disallowComments: true, allowTrailingComma: false })
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function invalid(file: string, text: string, offset: number, message: string): ManifestResult {
  return {
    diagnostic: {
      origin: 'install',
      severity: 'error',
      code: 'INVALID_PACKAGE_JSON',
      message,
      file,
      ...positionAt(text, offset),
    },
  }
}

/** The dependencies of one field; entries whose specifier is not a string are left out. */
export function dependenciesOf(manifest: PackageManifest, field: DependencyField | 'peerDependencies') {
  return stringEntries(manifest.json[field])
}

/** Where a dependency is written, 1-based; undefined where it is not. */
export function locateDependency(
  manifest: PackageManifest,
  name: string,
): { line: number; column: number } | undefined {
  const tree = parseTreeOf(manifest.text)
  if (tree === undefined) return undefined
  for (const field of [...DEPENDENCY_FIELDS, 'peerDependencies', 'overrides', 'resolutions']) {
    const node: Node | undefined = findNodeAtLocation(tree, [field, name])
    // The property is the value's parent: its offset is that of the name.
    if (node?.parent !== undefined) return positionAt(manifest.text, node.parent.offset)
  }
  return undefined
}

/** Line and column, 1-based, of an offset. */
export function positionAt(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset)
  return { line: before.split('\n').length, column: offset - (before.lastIndexOf('\n') + 1) + 1 }
}

export function toRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}

/** Own entries of a record whose values are strings, in order. */
export function stringEntries(value: unknown): [name: string, value: string][] {
  return Object.entries(toRecord(value) ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
}

export function toStrings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
