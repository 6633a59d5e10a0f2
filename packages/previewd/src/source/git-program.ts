import { execFile } from 'node:child_process'
import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { PreviewdError } from '../errors.ts'
import type { Bind } from '../model/worker.ts'

const run = promisify(execFile)

/** The git of this machine, as it is seen in a sandbox. */
export interface GitProgram {
  /** Path inside. */
  file: string
  binds: Bind[]
  env: Record<string, string>
  /** Certificate authorities in PEM; undefined where none were found. */
  authorities: Buffer | undefined
}

const FOLDERS = ['/usr/bin', '/usr/local/bin', '/bin', '/run/current-system/sw/bin']
const AUTHORITIES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]
const TARGET = '/git'

/**
 * Looks for git, its commands and the libraries they need, which are mounted read-only. `authorities` is a file that
 * takes the place of the system's. Rejects with SOURCE_NOT_SUPPORTED where git is not installed.
 */
export async function findGit(authorities: string | undefined): Promise<GitProgram> {
  const git = await firstFile(FOLDERS.map((folder) => join(folder, 'git')))
  if (git === undefined)
    throw new PreviewdError('SOURCE_NOT_SUPPORTED', 'git is not installed on this server.')
  const commands = (await run(git, ['--exec-path'], { env: {} })).stdout.trim()
  const remote = await firstFile([join(commands, 'git-remote-https')])
  if (remote === undefined) {
    throw new PreviewdError('SOURCE_NOT_SUPPORTED', 'The git of this server cannot reach https:// addresses.')
  }
  const libraries = await libraryFolders([await realpath(git), await realpath(remote)])
  const trusted = await firstFile(authorities === undefined ? AUTHORITIES : [authorities])
  return {
    file: `${TARGET}/git`,
    binds: [
      { source: await realpath(git), target: `${TARGET}/git` },
      { source: commands, target: `${TARGET}/commands` },
      ...libraries.map((source, at) => ({ source, target: `${TARGET}/lib${at}` })),
    ],
    env: {
      GIT_EXEC_PATH: `${TARGET}/commands`,
      LD_LIBRARY_PATH: libraries.map((_, at) => `${TARGET}/lib${at}`).join(':'),
    },
    authorities: trusted === undefined ? undefined : await readFile(trusted),
  }
}

/** From what ldd prints; none where the programs are static. */
async function libraryFolders(programs: readonly string[]): Promise<string[]> {
  const options = { env: { PATH: '/usr/bin:/bin' } }
  const { stdout } = await run('ldd', programs, options).catch((error: { stdout?: string }) => error)
  const files = [...(stdout ?? '').matchAll(/=>\s*(\/\S+)\s+\(0x/g)].map(([, file = '']) => dirname(file))
  return [...new Set(await Promise.all([...new Set(files)].map((folder) => realpath(folder))))]
}

async function firstFile(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined)
    if (found?.isFile()) return path
  }
  return undefined
}
