import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const FIXTURE = join(import.meta.dirname, '../fixtures/servers')
const CACHE = join(import.meta.dirname, '../../../../.previewd/test-servers')

/** For hooks that start one: the first of them installs it. */
export const INSTALL_TIMEOUT_MS = 400_000

/**
 * The folder with the object stores that tests start, installed once for each lockfile. Whoever comes second at the
 * same time installs too, and keeps what the first one has.
 */
export async function installServers(): Promise<string> {
  const lock = await readFile(join(FIXTURE, 'package-lock.json'))
  const folder = join(CACHE, createHash('sha256').update(lock).digest('hex').slice(0, 12))
  if (existsSync(folder)) return folder
  const begun = `${folder}.${randomBytes(4).toString('hex')}`
  await mkdir(begun, { recursive: true })
  try {
    await cp(FIXTURE, begun, { recursive: true })
    const command = [
      'ci',
      '--ignore-scripts',
      '--omit=optional',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ]
    await promisify(execFile)('npm', command, { cwd: begun, env: { ...process.env, ...registry() } })
    await rename(begun, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(begun, { recursive: true, force: true })
  }
  return folder
}

/** As root, npm may be set to another registry than that of whoever runs the tests. */
function registry(): Record<string, string> {
  const { PREVIEWD_REGISTRY: url } = process.env
  return url ? { npm_config_registry: url } : {}
}
