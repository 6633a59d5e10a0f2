import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { SandboxTier } from '../model/worker.ts'
import { type BwrapFeatures, readFeatures } from './bwrap.ts'
import type { CgroupHierarchy } from './cgroup.ts'
import { openCgroupV1 } from './cgroup-v1.ts'
import { openCgroupV2 } from './cgroup-v2.ts'
import type { LaunchTools } from './launch.ts'
import { ensureRuntimeTree, SECCOMP_FILE } from './runtime-tree.ts'
import { seccompProgram } from './seccomp.ts'

const run = promisify(execFile)

const PROGRAM_FOLDERS = [
  '/usr/local/bin',
  '/usr/bin',
  '/bin',
  '/usr/sbin',
  '/sbin',
  '/run/current-system/sw/bin',
]
const CGROUP_ROOT = '/sys/fs/cgroup'
const OTHERS_MAY_ENTER = 0o001

/** What this machine gives to a sandbox. Workers can be launched where `tools`, `runtimeTree` and `seccompFile` are. */
export interface Machinery {
  tier: SandboxTier
  problems: string[]
  tools?: LaunchTools
  runtimeTree?: string
  seccompFile?: string
  cgroups?: CgroupHierarchy
  /** Workers get users of their own. */
  ownUids: boolean
}

export interface DetectOptions {
  dataDir: string
  runtimeDir: string
  /** Where programs are looked for. */
  programFolders?: readonly string[]
  cgroupRoot?: string
}

/**
 * Looks for every layer of the sandbox, and builds the runtime tree. Whether they work together is seen by starting a
 * worker, see workers.ts.
 */
export async function detectMachinery(options: DetectOptions): Promise<Machinery> {
  const problems: string[] = []
  const tools = await findTools(options.programFolders ?? PROGRAM_FOLDERS, problems)
  const ownUids = process.getuid?.() === 0
  if (!ownUids) {
    problems.push('The daemon does not run as root, so that workers share its user; run it as root.')
  }
  const machine = process.arch
  if (machine !== 'x64' && machine !== 'arm64') {
    problems.push(`There is no seccomp filter for the processor ${machine}; x64 and arm64 have one.`)
    return { tier: 'off', problems, ownUids }
  }
  const cgroups = await openCgroups(options.cgroupRoot ?? CGROUP_ROOT, problems)
  const found = { problems, ownUids, ...(tools ? { tools } : {}), ...(cgroups ? { cgroups } : {}) }
  if (!tools) return { tier: 'off', ...found }
  const runtimeTree = await ensureRuntimeTree(options.runtimeDir, seccompProgram(machine))
  const seccompFile = join(runtimeTree, SECCOMP_FILE)
  const closed = ownUids ? await firstClosedFolder(runtimeTree) : undefined
  if (closed) {
    problems.push(
      `Workers cannot reach ${options.dataDir}, because ${closed} is closed to other users: ` +
        `run \`chmod o+x ${closed}\` or choose another PREVIEWD_DATA.`,
    )
    return { tier: 'off', ...found }
  }
  return { tier: ownUids && cgroups ? 'full' : 'reduced', ...found, runtimeTree, seccompFile }
}

async function findTools(folders: readonly string[], problems: string[]): Promise<LaunchTools | undefined> {
  const find = async (name: string, packageName: string) => {
    for (const folder of folders) {
      const path = join(folder, name)
      if (
        await stat(path).then(
          (stats) => stats.isFile(),
          () => false,
        )
      )
        return path
    }
    problems.push(`The program ${name} is missing; install the package ${packageName}.`)
    return undefined
  }
  const sh = await find('sh', 'dash')
  const setpriv = await find('setpriv', 'util-linux')
  const prlimit = await find('prlimit', 'util-linux')
  const bwrap = await find('bwrap', 'bubblewrap')
  if (!sh || !setpriv || !prlimit || !bwrap) return undefined
  const features = await askFeatures(bwrap)
  if (typeof features !== 'string') return { sh, setpriv, prlimit, bwrap: features }
  problems.push(features)
  return undefined
}

async function askFeatures(bwrap: string): Promise<BwrapFeatures | string> {
  try {
    const [version, help] = await Promise.all(
      ['--version', '--help'].map((option) => run(bwrap, [option], { env: {} })),
    )
    return readFeatures(bwrap, version?.stdout ?? '', help?.stdout ?? '')
  } catch {
    return `${bwrap} does not run; reinstall the package bubblewrap.`
  }
}

async function openCgroups(root: string, problems: string[]): Promise<CgroupHierarchy | undefined> {
  const unified = await stat(join(root, 'cgroup.controllers')).then(
    () => true,
    () => false,
  )
  const opened = unified
    ? await openCgroupV2(root, await readFile('/proc/self/cgroup', 'utf8'))
    : await openCgroupV1(root)
  if (typeof opened !== 'string') return opened
  problems.push(`${opened} Run the daemon as root, or as a systemd service with Delegate=yes.`)
  return undefined
}

/** The outermost folder on the way to `path` that other users may not enter. */
export async function firstClosedFolder(path: string): Promise<string | undefined> {
  const folders: string[] = []
  for (let folder = resolve(path); folder !== '/'; folder = dirname(folder)) folders.unshift(folder)
  for (const folder of folders) {
    const stats = await stat(folder).catch(() => undefined)
    if (stats && (stats.mode & OTHERS_MAY_ENTER) === 0) return folder
  }
  return undefined
}
