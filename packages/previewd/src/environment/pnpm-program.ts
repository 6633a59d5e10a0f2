import { chmod, constants, copyFile, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export interface PnpmProgram {
  /** Folder that holds the program, readable by workers. */
  dir: string
  version: string
}

/**
 * Copies the pnpm of this daemon's dependencies below `toolsDir`, where the installer's uid can reach it: the
 * daemon's own node_modules may lie in a private home.
 */
export async function ensurePnpm(toolsDir: string): Promise<PnpmProgram> {
  const require = createRequire(import.meta.url)
  const manifest = require.resolve(`@pnpm/exe.linux-${process.arch}/package.json`)
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string }
  const source = join(dirname(manifest), 'pnpm')
  const dir = join(toolsDir, `pnpm-${version}`)
  const program = join(dir, 'pnpm')
  if (await isCopyOf(program, source)) return { dir, version }
  // A copy that was interrupted.
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  // Not left to the umask: workers have other uids.
  await Promise.all([toolsDir, dir].map((folder) => chmod(folder, 0o755)))
  const temporary = `${program}.${process.pid}`
  await copyFile(source, temporary, constants.COPYFILE_FICLONE)
  await chmod(temporary, 0o755)
  await rename(temporary, program)
  return { dir, version }
}

async function isCopyOf(copy: string, source: string): Promise<boolean> {
  try {
    return (await stat(copy)).size === (await stat(source)).size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
