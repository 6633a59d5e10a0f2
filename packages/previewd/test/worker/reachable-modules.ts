import { existsSync } from 'node:fs'
import { chmod, cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

interface Manifest {
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

/**
 * A node_modules folder with one package of this repository and all that it needs, where the users of the sandbox can
 * reach it: the checkout may stand below a home folder that is closed to them.
 */
export async function reachableModules(name: string): Promise<{ path: string } & AsyncDisposable> {
  const repository = dirname(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)))
  const path = await mkdtemp(join(tmpdir(), 'previewd-modules-'))
  await chmod(path, 0o755)
  await copyWithDependencies(name, repository, path)
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

async function copyWithDependencies(name: string, from: string, to: string): Promise<void> {
  const source = join(from, name)
  // Optional parts for other machines are not installed.
  if (!existsSync(source) || existsSync(join(to, name))) return
  await cp(source, join(to, name), { recursive: true, verbatimSymlinks: true })
  const manifest = JSON.parse(await readFile(join(source, 'package.json'), 'utf8')) as Manifest
  const needed = { ...manifest.dependencies, ...manifest.optionalDependencies }
  for (const dependency of Object.keys(needed)) await copyWithDependencies(dependency, from, to)
}
