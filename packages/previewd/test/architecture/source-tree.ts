import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

export const SOURCE_ROOT = join(import.meta.dirname, '../../src')

export interface Import {
  /** Relative to the source root, or the bare specifier of a package or built-in. */
  target: string
  typeOnly: boolean
  /** True for imports of files of this tree. */
  internal: boolean
}

export interface SourceFile {
  /** Relative to the source root, POSIX. */
  path: string
  text: string
  imports: Import[]
}

// Static imports and re-exports at the start of a line (as the formatter lays them), and import() anywhere.
const STATIC = /^(?:import|export)\s+(type\s)?(?:[^'"`;]*?\sfrom\s+)?'([^']+)'/gm
const DYNAMIC = /\bimport\('([^']+)'\)/g

/** Every source file of the package, in the order of their paths. */
export function readSourceTree(): SourceFile[] {
  return readdirSync(SOURCE_ROOT, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .toSorted()
    .map((path) => parseSource(path, readFileSync(join(SOURCE_ROOT, path), 'utf8')))
}

export function parseSource(path: string, text: string): SourceFile {
  const statics = [...text.matchAll(STATIC)].map(([, type, from = '']) => toImport(path, from, Boolean(type)))
  const dynamics = [...text.matchAll(DYNAMIC)].map(([, from = '']) => toImport(path, from, false))
  return { path, text, imports: [...statics, ...dynamics] }
}

function toImport(path: string, from: string, typeOnly: boolean): Import {
  const internal = from.startsWith('.')
  return { target: internal ? posix.join(posix.dirname(path), from) : from, typeOnly, internal }
}

/** Text of a file without what stands in template literals: programs for other places, documents, queries. */
export function withoutTemplates(text: string): string {
  return text.replaceAll(/`(?:[^`\\]|\\.)*`/gs, (literal) => literal.replaceAll(/[^\n]/g, ' '))
}
