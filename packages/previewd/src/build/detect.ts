import { posix } from 'node:path'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { Snapshot } from '../model/files.ts'
import type { ProjectSettings } from '../model/project.ts'
import { type PackageJson, readPackageJson } from './package-json.ts'
import { frameworkBuild } from './server-rendered.ts'

/** What kind of project the files are, and where in them it lies. `root` is '' for the top. */
export type Shape =
  | { kind: 'static'; root: string }
  | { kind: 'vite'; root: string; packageJson: PackageJson | null }
  | { kind: 'command'; root: string; packageJson: PackageJson | null }

export interface Detected {
  /** Null where there is nothing to build; the diagnostics say why. */
  shape: Shape | null
  diagnostics: Diagnostic[]
}

type Settings = Pick<ProjectSettings, 'root' | 'framework' | 'buildCommand' | 'outputDir'>

const VITE_CONFIG = /^vite\.config\.(?:js|ts|mjs|mts|cjs|cts)$/

/**
 * Recognises the project. Settings override what the files say; `auto` tries, in this order: a build command of the
 * settings, Vite, a build script, a framework that is known here, plain HTML. Without a root in the settings and without anything at the top, the
 * only folder that has a package.json is taken, and a warning says so.
 */
export async function detect(snapshot: Snapshot, settings: Settings): Promise<Detected> {
  const located = locateRoot(snapshot, settings)
  if (located.root === null) return { shape: null, diagnostics: located.diagnostics }
  const { root, diagnostics } = located
  if (settings.framework === 'static') return staticSite(snapshot, root, settings, diagnostics)

  const packagePath = posix.join(root, 'package.json')
  const packageJson = snapshot.files.has(packagePath) ? await readPackageJson(snapshot, packagePath) : null
  if (packageJson && 'severity' in packageJson) {
    return { shape: null, diagnostics: [...diagnostics, packageJson] }
  }
  const framework =
    settings.framework === 'auto' ? guess(snapshot, root, settings, packageJson) : settings.framework
  if (framework === 'vite') return viteProject(snapshot, root, packageJson, diagnostics)
  if (framework === 'command') return commandProject(root, settings, packageJson, diagnostics)
  return staticSite(snapshot, root, settings, diagnostics)
}

function guess(snapshot: Snapshot, root: string, settings: Settings, packageJson: PackageJson | null) {
  if (settings.buildCommand) return 'command'
  if (packageJson?.dependencies.has('vite') || viteConfig(snapshot, root)) return 'vite'
  return packageJson?.scripts.has('build') || frameworkBuild(packageJson) ? 'command' : 'static'
}

function locateRoot(
  snapshot: Snapshot,
  settings: Settings,
): { root: string | null; diagnostics: Diagnostic[] } {
  const root = posix.normalize(settings.root || '.').replace(/^\.?\/|\/$|^\.$/g, '')
  const folders = packageFolders(snapshot)
  if (root !== '') {
    const prefix = `${root}/`
    for (const path of snapshot.files.keys()) if (path.startsWith(prefix)) return { root, diagnostics: [] }
    return { root: null, diagnostics: [missingRoot(root, folders)] }
  }
  const atTop = ['package.json', 'index.html'].some((name) => snapshot.files.has(name))
  const [only, second] = folders
  if (atTop || only === undefined || settings.buildCommand || viteConfig(snapshot, '')) {
    return { root: '', diagnostics: [] }
  }
  if (second !== undefined) return { root: null, diagnostics: [ambiguousRoot(folders)] }
  return { root: only, diagnostics: [guessedRoot(only)] }
}

function packageFolders(snapshot: Snapshot): string[] {
  const folders: string[] = []
  for (const path of snapshot.files.keys()) {
    if (posix.basename(path) === 'package.json') folders.push(posix.dirname(path))
  }
  return folders.filter((folder) => folder !== '.')
}

function missingRoot(root: string, folders: string[]): Diagnostic {
  return problem('ROOT_NOT_FOUND', `The project has no files in its root folder "${root}".`, {
    ...(folders.length > 0 && { hint: `set root to ${listed(folders)}` }),
  })
}

function ambiguousRoot(folders: string[]): Diagnostic {
  return problem('ROOT_AMBIGUOUS', `There is no package.json at the top, but in ${folders.length} folders.`, {
    hint: `set root to ${listed(folders)}`,
  })
}

function guessedRoot(root: string): Diagnostic {
  return problem('ROOT_GUESSED', `There is no package.json at the top; the project in "${root}" is built.`, {
    severity: 'warning',
    hint: `set root to "${root}"`,
  })
}

function listed(folders: string[]): string {
  return folders
    .slice(0, 5)
    .map((folder) => `"${folder}"`)
    .join(' or ')
}

function viteConfig(snapshot: Snapshot, root: string): string | undefined {
  const depth = root === '' ? 0 : root.length + 1
  for (const path of snapshot.files.keys()) {
    if (path.startsWith(root) && VITE_CONFIG.test(path.slice(depth))) return path
  }
  return undefined
}

/** A config may name another root or inputs, so only a project without one must have its index.html in place. */
function viteProject(
  snapshot: Snapshot,
  root: string,
  packageJson: PackageJson | null,
  diagnostics: Diagnostic[],
): Detected {
  const scripted = packageJson?.scripts.has('build') || frameworkBuild(packageJson) !== undefined
  if (!scripted && !viteConfig(snapshot, root) && !snapshot.files.has(posix.join(root, 'index.html'))) {
    return { shape: null, diagnostics: [...diagnostics, missingIndex(snapshot, root)] }
  }
  return { shape: { kind: 'vite', root, packageJson }, diagnostics }
}

function commandProject(
  root: string,
  settings: Settings,
  packageJson: PackageJson | null,
  diagnostics: Diagnostic[],
): Detected {
  if (!settings.buildCommand && !packageJson?.scripts.has('build') && !frameworkBuild(packageJson)) {
    const nothing = problem(
      'BUILD_COMMAND_MISSING',
      'There is no build command and no "build" script to run.',
      {
        hint: 'set buildCommand, or add a "build" script to package.json',
      },
    )
    return { shape: null, diagnostics: [...diagnostics, nothing] }
  }
  return { shape: { kind: 'command', root, packageJson }, diagnostics }
}

function staticSite(
  snapshot: Snapshot,
  root: string,
  settings: Settings,
  diagnostics: Diagnostic[],
): Detected {
  const folder = posix.join(root, settings.outputDir ?? '').replace(/^\.$/, '')
  if (!snapshot.files.has(posix.join(folder, 'index.html'))) {
    return { shape: null, diagnostics: [...diagnostics, missingIndex(snapshot, folder)] }
  }
  return { shape: { kind: 'static', root: folder }, diagnostics }
}

/** The diagnostic for a page that is not there, with the places where one is. */
export function missingIndex(snapshot: Pick<Snapshot, 'files'>, folder: string): Diagnostic {
  const wanted = posix.join(folder, 'index.html')
  const elsewhere: string[] = []
  for (const path of snapshot.files.keys()) {
    if (posix.basename(path).toLowerCase() === 'index.html' && path !== wanted) elsewhere.push(path)
  }
  const nothing =
    snapshot.files.size === 0 ? 'The project has no files.' : `There is no index.html at "${wanted}".`
  return problem('INDEX_HTML_MISSING', nothing, {
    hint:
      elsewhere.length > 0
        ? `there is ${listed(elsewhere)}: set root to its folder, or move it`
        : `add ${wanted}, or a package.json with a "build" script`,
  })
}

function problem(code: string, message: string, more: Partial<Diagnostic>): Diagnostic {
  return { origin: 'config', severity: 'error', code, message, ...more }
}
