import { chmod, mkdir, readdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { TEMPORARY_FOLDER } from './environment-records.ts'

/** What pnpm hoists for packages only, as a package in the sandbox's /store finds it. */
const PRIVATE_HOIST = '/app/node_modules/.pnpm/node_modules'
const KEY = /^[0-9a-f]{64}$/

/**
 * Makes the folder of the store that all environments share, `{dir}/store`, and returns it. Records of environments
 * whose store is gone are removed, because their links would lead nowhere.
 */
export async function openSharedStore(dir: string): Promise<string> {
  const store = join(dir, 'store')
  // What a server that was killed was writing.
  await rm(join(dir, TEMPORARY_FOLDER), { recursive: true, force: true })
  const isNew = (await mkdir(store, { recursive: true })) !== undefined
  // Not left to the umask: workers have other uids. Once chowned to the installer, the mode of the store is its own.
  await chmod(dir, 0o711)
  if (isNew) await chmod(store, 0o755)
  if (isNew) {
    const stale = (await readdir(dir)).filter((name) => KEY.test(name))
    await Promise.all(stale.map((name) => rm(join(dir, name), { recursive: true, force: true })))
  }
  await linkPrivateHoist(join(store, 'node_modules'))
  return store
}

/**
 * Packages stand in /store/v11/…, so Node looks for what they do not declare in /store/node_modules and then in
 * /node_modules: with this link first what pnpm hoists privately, then the project's own, as beside the project.
 */
async function linkPrivateHoist(link: string): Promise<void> {
  try {
    await symlink(PRIVATE_HOIST, link)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
