import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The folder of the package that a project's own imports find. */
export function packageFolder(cwd: string, name: string): string {
  return dirname(createRequire(join(cwd, 'package.json')).resolve(`${name}/package.json`))
}

export function viteFolder(cwd: string): string {
  return packageFolder(cwd, 'vite')
}

/** The ES module entry; resolving by name from here would find what `require` sees, which Vite 4 to 6 warn about. */
export function viteEntry(folder: string): string {
  return packageEntry(folder)
}

export function packageEntry(folder: string): string {
  const { exports, module } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  let entry = exports?.['.'] ?? exports ?? module
  while (typeof entry === 'object') entry = entry.import ?? entry.node ?? entry.default
  return pathToFileURL(join(folder, entry ?? 'dist/node/index.js')).href
}
