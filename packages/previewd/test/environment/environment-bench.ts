import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createEnvironments, type EvictableEnvironments } from '../../src/environment/environments.ts'
import type { ProxyLimits } from '../../src/environment/registry-proxy.ts'
import type { Diagnostic } from '../../src/model/diagnostic.ts'
import type { Environment, EnvironmentResult, PrepareOptions } from '../../src/model/environment.ts'
import type { Worker, Workers } from '../../src/model/worker.ts'
import { openStore, type Store } from '../../src/store/open-store.ts'
import { createWorkers } from '../../src/worker/workers.ts'
import { type FixturePackage, type FixtureRegistry, startFixtureRegistry } from './fixture-registry.ts'

const MIB = 1024 * 1024

export type ProjectFiles = Record<string, string | object>

export interface BenchOptions {
  packages?: FixturePackage[]
  registryUrl?: string
  minimumReleaseAgeMinutes?: number
  token?: string
  installTimeoutMs?: number
  registryLimits?: Partial<ProxyLimits>
}

/** Everything that an install needs, real and below one temporary folder that goes when the test is over. */
export interface Bench {
  registry: FixtureRegistry
  store: Store
  dataDir: string
  workers: Workers
  environments: EvictableEnvironments
  /** Workers started so far. */
  started: () => number
  /** Replaces the project's files and prepares what they need. */
  prepare(
    files: ProjectFiles,
    options?: Partial<PrepareOptions> & { project?: string },
  ): Promise<EnvironmentResult>
  /** The same, for a project whose install has to succeed. */
  install(files: ProjectFiles, options?: Partial<PrepareOptions> & { project?: string }): Promise<Installed>
}

export interface Installed {
  environment: Environment
  diagnostics: Diagnostic[]
  reused: boolean
  /** Runs a command line in a project worker that has the environment and the files; resolves with its output. */
  run(command: string, cwd?: string): Promise<string>
}

/** A bench for one test. */
export async function makeBench(options: BenchOptions = {}): Promise<Bench> {
  const { bench, close } = await openBench(options)
  onTestFinished(close)
  return bench
}

/** A bench for the tests of a file; what `beforeAll` returns is called when they are over. */
export async function openBench(
  options: BenchOptions,
): Promise<{ bench: Bench; close: () => Promise<void> }> {
  const undo: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const step of undo.reverse()) await step()
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'previewd-env-'))
  undo.push(() => rm(dataDir, { recursive: true, force: true }))
  await chmod(dataDir, 0o711)
  const token = options.token === undefined ? {} : { token: options.token }
  const registry = await startFixtureRegistry({ packages: options.packages ?? [], ...token })
  undo.push(() => registry.close())
  const limits = { fileBytes: 10 * MIB, projectBytes: 100 * MIB, files: 1000 }
  const store = await openStore({ dataDir, limits })
  undo.push(() => store.close())
  const real = createWorkers({ dataDir, minimumTier: 'reduced', slots: 2 })
  undo.push(() => real.close())
  let started = 0
  const workers: Workers = {
    status: () => real.status(),
    memoryBytes: () => real.memoryBytes(),
    start: (spec) => {
      started++
      return real.start(spec)
    },
    pool: () => real.pool(),
    close: () => real.close(),
  }
  const environments = createEnvironments({
    dataDir,
    workers,
    locks: store.locks,
    installTimeoutMs: options.installTimeoutMs ?? 100_000,
    registry: {
      url: options.registryUrl ?? registry.url,
      minimumReleaseAgeMinutes: options.minimumReleaseAgeMinutes ?? 1440,
      limits: options.registryLimits ?? {},
      ...token,
    },
  })
  undo.push(() => environments.close())

  const prepare: Bench['prepare'] = async (files, { project = 'bench', root = '', ...rest } = {}) => {
    await writeProject(store, project, files)
    await using snapshot = await store.files.snapshot(project)
    return await environments.prepare(snapshot, { root, ...rest })
  }
  const install: Bench['install'] = async (files, prepareOptions) => {
    const result = await prepare(files, prepareOptions)
    if (!result.ok || result.environment === null) {
      throw new Error(`not installed: ${JSON.stringify(result.ok ? 'no environment' : result.diagnostics)}`)
    }
    const { environment, diagnostics, reused } = result
    const run = (command: string, cwd = '/app') => runInWorker(real, environment, files, command, cwd)
    return { environment, diagnostics, reused, run }
  }
  const bench = { registry, store, dataDir, workers, environments, started: () => started, prepare, install }
  return { bench, close }
}

async function writeProject(store: Store, project: string, files: ProjectFiles): Promise<void> {
  store.projects.put(project, {})
  await store.files.apply(project, {
    files: Object.entries(files).map(([path, content]) => ({ path, content: Buffer.from(textOf(content)) })),
    deleted: [],
    replaceAll: true,
  })
}

function textOf(content: string | object): string {
  return typeof content === 'string' ? content : JSON.stringify(content, null, 2)
}

async function runInWorker(
  workers: Workers,
  environment: Environment,
  files: ProjectFiles,
  command: string,
  cwd: string,
): Promise<string> {
  const limits = {
    memoryBytes: 512 * MIB,
    processes: 64,
    wallMs: 100_000,
    appBytes: 32 * MIB,
    tmpBytes: 32 * MIB,
    cpuWeight: 100,
    logBytes: MIB,
  }
  await using worker: Worker = await workers.start({ role: 'project', limits, binds: environment.binds })
  await worker.put(
    Object.entries(files).map(([path, content]) => {
      const bytes = Buffer.from(textOf(content))
      return { kind: 'file' as const, path, size: bytes.length, content: bytes }
    }),
  )
  await worker.put(environment.entries)
  const lines: string[] = []
  await worker.run({ kind: 'shell', command, cwd, env: {} }, ({ text }) => lines.push(text))
  return lines.join('\n')
}
