import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PACKAGE = join(import.meta.dirname, '..')

export interface Consumer extends Disposable {
  /** Where programs find `@previewd/client` as whoever installed it does. */
  folder: string
  /** Paths in the package. */
  contents: string[]
}

/** A folder into which the package is installed as it would be published. */
export function installPacked(): Consumer {
  const folder = mkdtempSync(join(tmpdir(), 'previewd-client-'))
  try {
    // Built in a copy: builds of tests that run side by side would remove one another's files.
    const copy = join(folder, 'packages/client')
    for (const name of ['package.json', 'README.md', 'tsconfig.build.json', 'src'])
      cpSync(join(PACKAGE, name), join(copy, name), { recursive: true })
    cpSync(join(PACKAGE, '../../tsconfig.json'), join(folder, 'tsconfig.json'))
    const tsc = join(PACKAGE, '../../node_modules/typescript/bin/tsc')
    execFileSync(process.execPath, [tsc, '-p', join(copy, 'tsconfig.build.json')])
    const npm = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
    const [packed] = JSON.parse(execFileSync('npm', npm, { cwd: copy, encoding: 'utf8', stdio: 'pipe' }))
    const target = join(folder, 'node_modules/@previewd/client')
    mkdirSync(target, { recursive: true })
    execFileSync('tar', ['-xzf', join(folder, packed.filename), '-C', target, '--strip-components=1'])
    rmSync(join(folder, 'packages'), { recursive: true })
    rmSync(join(folder, 'tsconfig.json'))
    return {
      folder,
      contents: packed.files.map(({ path }: { path: string }) => path),
      [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}
