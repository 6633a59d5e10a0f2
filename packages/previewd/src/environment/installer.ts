import { posix } from 'node:path'
import { stringify } from 'yaml'
import type { InstallProgress } from '../model/environment.ts'
import {
  type Bind,
  CPU_WEIGHTS,
  type InputEntry,
  type TaskOutcome,
  type Worker,
  type WorkerLimits,
  type Workers,
} from '../model/worker.ts'
import { type InstalledTree, readInstalledTree, STORE_TARGET } from './environment-tree.ts'
import type { InstallPlan, PlannedLock } from './install-plan.ts'
import type { LockedPackage } from './locked-packages.ts'
import { PROXY_PORT, PROXY_URL } from './packument.ts'
import { type PnpmError, PnpmOutput } from './pnpm-output.ts'

export interface InstallerOptions {
  workers: Workers
  /** Host folder of the store that all environments share. */
  storeDir: string
  /** Host folder that holds the `pnpm` program. */
  pnpmDir: string
  /** Socket of the registry proxy. */
  registrySocket: string
  /** Releases younger than this are refused. */
  minimumReleaseAgeMinutes: number
  timeoutMs: number
}

export interface InstallRequest {
  plan: InstallPlan
  lock: PlannedLock | undefined
  signal: AbortSignal
  onProgress: (progress: InstallProgress) => void
  onLog: (line: string) => void
}

export type InstallResult =
  | { kind: 'installed'; tree: InstalledTree }
  | { kind: 'failed'; errors: PnpmError[]; outcome: Exclude<TaskOutcome, { kind: 'succeeded' }> }

const MIB = 1024 * 1024
const PNPM_TARGET = '/installer'
const INSTALL_ARGUMENTS = ['install', '--ignore-scripts', '--ignore-pnpmfile', '--no-frozen-lockfile']
const OUTPUT_LIMITS = { files: 100_000, bytes: 64 * MIB }

/** Installs a plan in a sandbox of its own that has the store and, as its network, the registry proxy. */
export async function install(options: InstallerOptions, request: InstallRequest): Promise<InstallResult> {
  const { plan, lock, signal } = request
  await using worker = await options.workers.start({
    role: 'installer',
    limits: limitsOf(options),
    binds: bindsOf(options),
    bridge: { socket: options.registrySocket, port: PROXY_PORT },
    signal,
  })
  await worker.put(inputFiles(plan, lock, options))
  const output = new PnpmOutput(request.onProgress, request.onLog)
  if (lock?.kind === 'preferred' && lock.packages.length > 0) {
    const imported = await runPnpm(worker, ['import'], output)
    if (imported.kind !== 'succeeded') return { kind: 'failed', errors: output.errors, outcome: imported }
  }
  // What a project's lockfile says of packages besides their content (programs, platforms) decides how the shared store
  // is laid out, and a lie would reach the next project: it is replaced by what the registry says.
  const trust = lock?.kind === 'claimed' ? '--fix-lockfile' : '--prefer-frozen-lockfile'
  const outcome = await runPnpm(worker, [...INSTALL_ARGUMENTS, trust], output)
  if (outcome.kind !== 'succeeded') return { kind: 'failed', errors: output.errors, outcome }
  return { kind: 'installed', tree: await readInstalledTree(worker.collect('/app', OUTPUT_LIMITS)) }
}

async function runPnpm(worker: Worker, args: string[], output: PnpmOutput): Promise<TaskOutcome> {
  return await worker.run(
    {
      kind: 'exec',
      // Project workers have other uids and must be able to read the store, whatever umask the server runs with.
      file: '/bin/sh',
      args: ['-c', 'umask 022; exec "$0" "$@"', `${PNPM_TARGET}/pnpm`, ...args, '--reporter=ndjson'],
      cwd: '/app',
      env: { PATH: '/usr/bin:/bin', HOME: '/tmp/home' },
    },
    ({ text }) => output.read(text),
  )
}

function limitsOf({ timeoutMs }: InstallerOptions): WorkerLimits {
  return {
    memoryBytes: 1536 * MIB,
    // Threads count too, and pnpm links with one for each of some hundred packages.
    processes: 1024,
    wallMs: timeoutMs,
    appBytes: 512 * MIB,
    tmpBytes: 512 * MIB,
    cpuWeight: CPU_WEIGHTS.install,
    // Every package is told of several times.
    logBytes: 64 * MIB,
  }
}

function bindsOf({ storeDir, pnpmDir }: InstallerOptions): Bind[] {
  return [
    { source: storeDir, target: STORE_TARGET, writable: true },
    { source: pnpmDir, target: PNPM_TARGET },
  ]
}

/** All that the installer sees: generated files, and a lockfile that was checked or generated. */
function* inputFiles(
  plan: InstallPlan,
  lock: PlannedLock | undefined,
  options: InstallerOptions,
): Generator<InputEntry> {
  for (const [folder, json] of plan.manifests) {
    yield textFile(posix.join(folder, 'package.json'), JSON.stringify(json))
  }
  // Links between the project's packages need a package.json at the top, where none of them may be.
  if (!plan.manifests.has('')) yield textFile('package.json', '{}')
  yield textFile('pnpm-workspace.yaml', stringify({ ...plan.settings, ...installerSettings(options, plan) }))
  if (lock?.kind === 'preferred') yield textFile('package-lock.json', renderPreferred(lock.packages))
  else if (lock !== undefined) yield textFile('pnpm-lock.yaml', lock.text)
}

function textFile(path: string, text: string): InputEntry {
  const content = Buffer.from(text)
  return { kind: 'file', path, size: content.length, content }
}

/** What the operator decides; these names win over anything that a plan could hold. */
function installerSettings(
  { minimumReleaseAgeMinutes }: InstallerOptions,
  { nodeVersion }: InstallPlan,
): Record<string, unknown> {
  return {
    registry: PROXY_URL,
    storeDir: STORE_TARGET,
    cacheDir: `${STORE_TARGET}/cache`,
    // pnpm switches it off by itself where it believes to be in continuous integration.
    enableGlobalVirtualStore: true,
    nodeLinker: 'isolated',
    // A link starts faster than the shell script that would find NODE_PATH, and does not hold host paths.
    preferSymlinkedExecutables: true,
    minimumReleaseAge: minimumReleaseAgeMinutes,
    minimumReleaseAgeStrict: true,
    minimumReleaseAgeIgnoreMissingTime: minimumReleaseAgeMinutes === 0,
    trustPolicy: 'no-downgrade',
    blockExoticSubdeps: true,
    ignoreScripts: true,
    ignorePnpmfile: true,
    pmOnFail: 'ignore',
    updateNotifier: false,
    nodeVersion: nodeVersion ?? process.versions.node,
    strictPeerDependencies: false,
    fetchRetries: 2,
    fetchRetryMintimeout: 200,
    fetchRetryMaxtimeout: 1000,
    fetchTimeout: 60_000,
  }
}

/**
 * A package-lock.json whose only use is to name versions: `pnpm import` prefers them wherever they satisfy. Packages
 * of one name stand in numbered folders, because a folder can hold one version only.
 */
export function renderPreferred(packages: readonly LockedPackage[]): string {
  const entries: Record<string, { version: string }> = { '': { version: '0.0.0' } }
  const seen = new Map<string, number>()
  for (const { name, version } of packages) {
    const count = seen.get(name) ?? 0
    seen.set(name, count + 1)
    entries[count === 0 ? `node_modules/${name}` : `node_modules/${count}/node_modules/${name}`] = { version }
  }
  return JSON.stringify({ lockfileVersion: 3, requires: true, packages: entries })
}
