import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { missingIndex } from './detect.ts'
import type { Found } from './found.ts'
import { nearNames } from './near-name.ts'
import { projectPath, type SourcePlace } from './source-path.ts'

/** What the kind of a problem adds to its diagnostic. */
export type Kind = Pick<Found, 'code' | 'hint' | 'message' | 'file' | 'findImport' | 'findInvalidJson'>

/** The names in these patterns are the import and, where it is said, the file that imports. */
const UNRESOLVED = [
  /failed to resolve import "(?<name>[^"\n]{1,500})" from "(?<from>[^"\n]{1,1000})"/i,
  /Could not resolve ['"](?<name>[^'"\n]{1,500})['"] (?:in|from) ['"]?(?<from>[^'"\s]{1,1000})/,
  /Could not resolve ['"](?<name>[^'"\n]{1,500})['"]/,
  /Failed to resolve (?<name>\S{1,500}) from (?<from>\S{1,1000})/,
  /Preprocessor dependency "(?<name>[^"\n]{1,500})" not found/,
  /^(?<name>[\w-]{1,100}) not found\. Since Vite v\d/,
  /Cannot find package '(?<name>[^'\n]{1,500})'(?: imported from (?<from>\S{1,1000}))?/,
  /Cannot find module '(?<name>[^'\n]{1,500})'(?: imported from (?<from>\S{1,1000}))?/,
  /Can't resolve '(?<name>[^'\n]{1,500})' in '(?<folder>[^'\n]{1,1000})'/,
  /ENOENT: no such file or directory, open '(?<name>\.[^'\n]{1,500})'/,
  /Could not load (?<name>\/app\/\S{1,1000}) \(imported by (?<from>[^)\n]{1,1000})\)/,
]
const SYNTAX =
  /PARSE_ERROR|Transform failed|Unexpected |\bexpected\b|Expected |Unterminated|Unclosed|Unknown word|invalid JSON|is not valid |trailing comma|CssSyntaxError|SyntaxError|Missing semicolon|end sign was not found|Element is missing end tag|closing tag|js_parse_error/

/** Recognises what kind of problem a tool's message is, and what would mend it. */
export function classify(message: string, signs: string, file: string | undefined, place: SourcePlace): Kind {
  const plain = { message, ...(file !== undefined && { file }) }
  if (/(?:resolve entry module|UNRESOLVED_ENTRY).{0,40}index\.html/.test(`${signs} ${message}`)) {
    const missing = missingIndex(place, place.root)
    return {
      message: missing.message,
      code: 'INDEX_HTML_MISSING',
      ...(missing.hint && { hint: missing.hint }),
    }
  }
  for (const pattern of UNRESOLVED) {
    const groups = pattern.exec(message)?.groups
    if (groups?.name) return unresolved(groups.name, groups.from ?? groups.folder, { ...plain }, place)
  }
  if (/MISSING_EXPORT|is not exported by/.test(`${signs} ${message}`))
    return { ...plain, code: 'MISSING_EXPORT' }
  if (/ENOSPC/.test(message))
    return { ...plain, code: 'OUTPUT_TOO_LARGE', hint: 'the build wrote more than its limit' }
  if (/heap out of memory|ERR_WORKER_OUT_OF_MEMORY/.test(message))
    return { ...plain, code: 'BUILD_OUT_OF_MEMORY' }
  if (message.startsWith('The build ended its process')) return { ...plain, code: 'BUILD_EXITED' }
  if (/class does not exist|unknown utility class/.test(message)) return { ...plain, code: 'UNKNOWN_CLASS' }
  if (SYNTAX.test(`${signs} ${message}`)) {
    const ofJson = signs.includes('vite-json') && file === undefined
    return {
      ...plain,
      code: 'SYNTAX_ERROR',
      ...(ofJson && { findInvalidJson: true }),
      // swc takes back what it understood, and names where it began.
      ...(message.includes('Expected jsx identifier') && {
        hint: 'JSX that cannot be parsed begins here; the mistake is inside it or right before it: a tag, brace, quote or parenthesis that is not closed',
      }),
    }
  }
  return plain
}

function unresolved(name: string, from: string | undefined, plain: Kind, place: SourcePlace): Kind {
  const importer = plain.file ?? (from === undefined ? undefined : projectPath(from, place))
  const said = { ...plain, findImport: name, ...(importer !== undefined && { file: importer }) }
  if (isPackageName(name)) return missingPackage(name, said)
  const wanted = wantedPath(name, importer, place)
  const near = nearNames(wanted, place.files)
  const by = importer ? `, imported by ${importer}` : ''
  const alias = /^[@~#][\w-]*(?=\/)|^#/.exec(name)?.[0]
  if (alias && near[0]?.startsWith(`${wanted}.`)) {
    const hint = `${near[0]} exists: set the alias "${alias}" in resolve.alias of the Vite config`
    return { ...said, code: 'UNRESOLVED_ALIAS', message: `"${name}" could not be resolved${by}.`, hint }
  }
  return {
    ...said,
    code: 'MISSING_FILE',
    message: `"${name}" does not exist${by}.`,
    hint: hintFor(wanted, near),
  }
}

function hintFor(wanted: string, near: string[]): string {
  if (near.length === 0) return `add ${wanted}`
  const byCase = near[0]?.toLowerCase().startsWith(wanted.toLowerCase())
  return `did you mean ${near.join(' or ')}?${byCase ? ' Upper and lower case count' : ''}`
}

function missingPackage(name: string, said: Kind): Kind {
  if (isBuiltin(name)) {
    return {
      ...said,
      code: 'NODE_BUILTIN',
      hint: `"${name}" is part of Node and does not exist in a browser`,
    }
  }
  const parts = name.split('/')
  const packageName = parts.slice(0, name.startsWith('@') ? 2 : 1).join('/')
  return {
    ...said,
    code: 'MISSING_PACKAGE',
    message: `The package "${packageName}"${said.file ? `, imported by ${said.file},` : ''} is not installed.`,
    hint: `add "${packageName}" to dependencies`,
  }
}

const PACKAGE_NAME = /^(?:@[a-z0-9~][\w.~-]*\/)?[a-z0-9~][\w.~-]*(?:\/|$)/i

/** `@/x`, `~/x`, `#x` and `src/x` are aliases of a config, not packages. */
function isPackageName(name: string): boolean {
  return (
    isBuiltin(name) ||
    (PACKAGE_NAME.test(name) && !/^src\//.test(name) && !/\.\w+$/.test(name.split('/')[0] ?? '')) ||
    /^[a-z0-9][\w-]*\.js$/.test(name)
  )
}

/** Where a file that an import names would be, below the project's files. */
function wantedPath(name: string, importer: string | undefined, place: SourcePlace): string {
  const bare = name.replace(/(?<=.)[?#].*$/, '')
  if (bare.startsWith('/app/')) return posix.normalize(bare.slice('/app/'.length))
  if (bare.startsWith('.')) return posix.join(importer ? posix.dirname(importer) : place.root, bare)
  const aliased = bare.replace(/^\//, '').replace(/^(?:[@~#]\/|#)/, 'src/')
  return posix.join(place.root, aliased)
}
