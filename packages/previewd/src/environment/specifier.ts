import { posix } from 'node:path'
import semver from 'semver'

/** What a dependency's specifier asks for. */
export type Specifier =
  | { kind: 'range'; range: string }
  | { kind: 'tag'; tag: string }
  /** Another package under this name: `npm:preact@^10`. */
  | { kind: 'alias'; name: string; target: string }
  | { kind: 'workspace'; range: string }
  | { kind: 'catalog'; catalog: string }
  /** A folder, relative to the package.json that names it. */
  | { kind: 'folder'; path: string }
  | { kind: 'refused'; reason: string }

const PACKAGE_NAME = /^(?:@[a-z0-9~_-][a-z0-9._~-]*\/)?[a-z0-9~_-][a-z0-9._~-]*$/i
const RESERVED_NAMES = new Set(['node_modules', 'favicon.ico', '__proto__', 'constructor', 'prototype'])
const TAG = /^[a-z0-9_-][a-z0-9._-]*$/i
const RANGE_CHARACTERS = /^[\w.+\-*^~<>=|\s]*$/
const MAX_LENGTH = 214
const FOLDER_PROTOCOLS = ['file:', 'link:', 'portal:']

/** True for a name that a package on a registry can have; old names with upper case included. */
export function isPackageName(name: string): boolean {
  return name.length <= MAX_LENGTH && PACKAGE_NAME.test(name) && !RESERVED_NAMES.has(name)
}

/**
 * Parses the specifier of a dependency. Only what a registry or the project's own files can answer is accepted;
 * git, tarball addresses, repository shorthands and absolute paths are `refused` with a reason in words.
 */
export function parseSpecifier(specifier: string): Specifier {
  const text = specifier.trim()
  if (text.length > 512) return refused('it is longer than 512 characters')
  if (text.startsWith('npm:')) return parseAlias(text.slice(4))
  if (text.startsWith('workspace:')) return parseWorkspace(text.slice(10))
  if (text.startsWith('catalog:')) return parseCatalog(text.slice(8))
  const folder = folderOf(text)
  if (folder !== undefined) return parseFolder(folder)
  return parseVersion(text)
}

function refused(reason: string): Specifier {
  return { kind: 'refused', reason }
}

function parseVersion(text: string): Specifier {
  if (isRange(text)) return { kind: 'range', range: text === '' ? '*' : text }
  if (TAG.test(text)) return { kind: 'tag', tag: text }
  return refused(reasonFor(text))
}

/** Read loosely, semver overlooks words that are no version: what a path or an address is made of is looked for first. */
function isRange(text: string): boolean {
  return RANGE_CHARACTERS.test(text) && semver.validRange(text, { loose: true }) !== null
}

function parseAlias(text: string): Specifier {
  const at = text.indexOf('@', 1)
  const name = at === -1 ? text : text.slice(0, at)
  const version = at === -1 ? '*' : text.slice(at + 1)
  // Yarn writes plain ranges as `npm:^1.0.0`.
  if (at === -1 && isRange(text)) return { kind: 'range', range: text }
  if (!isPackageName(name)) return refused('the name behind npm: is not a package name')
  const inner = parseVersion(version)
  if (inner.kind === 'range') return { kind: 'alias', name, target: inner.range }
  if (inner.kind === 'tag') return { kind: 'alias', name, target: inner.tag }
  return refused('an npm: alias needs a version range or a tag')
}

function parseWorkspace(text: string): Specifier {
  if (text === '*' || text === '^' || text === '~' || text === '') {
    return { kind: 'workspace', range: text === '' ? '*' : text }
  }
  if (isRange(text)) return { kind: 'workspace', range: text }
  if (text.startsWith('./') || text.startsWith('../')) return parseFolder(text)
  return refused('workspace: needs *, ^, ~, a version range or a relative folder')
}

function parseCatalog(text: string): Specifier {
  const catalog = text.trim() === '' ? 'default' : text.trim()
  return TAG.test(catalog) ? { kind: 'catalog', catalog } : refused('the catalog name is not allowed')
}

function folderOf(text: string): string | undefined {
  const protocol = FOLDER_PROTOCOLS.find((candidate) => text.startsWith(candidate))
  if (protocol !== undefined) return text.slice(protocol.length)
  const isRelative = text === '.' || text === '..' || text.startsWith('./') || text.startsWith('../')
  return isRelative ? text : undefined
}

function parseFolder(path: string): Specifier {
  const folder = posix.normalize(path === '' ? '.' : path).replace(/\/$/, '')
  // As it is given on, too: `./~` is a folder `~` then, which tools take for that of the user.
  if (isOfMachine(path) || isOfMachine(folder)) {
    return refused('it points at a folder of the machine; only folders of the project can be used')
  }
  if (path.includes('\\') || path.includes('\0') || /[%?#]/.test(path)) {
    return refused('the folder has characters that are not allowed')
  }
  if (/\.(?:tgz|tar\.gz|tar)$/i.test(path)) return refused('archives in the project cannot be installed')
  return { kind: 'folder', path: folder }
}

function isOfMachine(path: string): boolean {
  return path.startsWith('/') || path.startsWith('~') || /^[a-z]:/i.test(path)
}

function reasonFor(text: string): string {
  if (/^(?:git[+:]|git@|ssh:|github:|gitlab:|bitbucket:|gist:)/i.test(text) || /\.git(?:#|$)/.test(text)) {
    return 'dependencies from git repositories are not installed'
  }
  if (/^https?:/i.test(text)) return 'dependencies from web addresses are not installed'
  if (/^(?:\/|~|[a-z]:[\\/])/i.test(text)) return 'it points at the machine, outside the project'
  if (/^[\w.-]+\/[\w.-]+(?:#.*)?$/.test(text)) return 'dependencies from git repositories are not installed'
  if (text.startsWith('jsr:')) return 'packages of other registries are not installed'
  if (text.startsWith('patch:')) return 'patched dependencies are not supported'
  return 'it is neither a version range nor a tag of the registry'
}
