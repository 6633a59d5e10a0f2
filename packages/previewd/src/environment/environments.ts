import { chmod, mkdir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import { PreviewdError } from '../errors.ts'
import type { Environment, EnvironmentResult, Environments, PrepareOptions } from '../model/environment.ts'
import type { Snapshot } from '../model/files.ts'
import type { ResolvedLocks } from '../model/store.ts'
import type { Workers } from '../model/worker.ts'
import { guardDisk } from './disk-guard.ts'
import { environmentKey, hashManifests, type KeyContext, sha256 } from './environment-key.ts'
import { EnvironmentRecords } from './environment-records.ts'
import { STORE_TARGET, type TreeLink, toEntries } from './environment-tree.ts'
import { explainFailure, isOutOfSpace } from './install-diagnostics.ts'
import { type InstallPlan, type PlannedLock, type PlanResult, planInstall } from './install-plan.ts'
import { install } from './installer.ts'
import { LOCKFILE_NAMES } from './lockfile-choice.ts'
import { compareIntegrity } from './lockfile-integrity.ts'
import { ensurePnpm, type PnpmProgram } from './pnpm-program.ts'
import { type ProxyLimits, type RegistryProxy, startRegistryProxy } from './registry-proxy.ts'
import { openSharedStore } from './shared-store.ts'
import { type FlightListener, SingleFlight } from './single-flight.ts'
import { type Evicted, evictUnused } from './store-eviction.ts'

export interface EnvironmentsOptions {
  dataDir: string
  workers: Workers
  registry: {
    url: string
    token?: string | undefined
    minimumReleaseAgeMinutes: number
    limits?: Partial<ProxyLimits>
  }
  locks: ResolvedLocks
  installTimeoutMs: number
  logger?: Pick<Logger, 'info' | 'warn'>
}

/** Projects without a lockfile get the newest versions as they were at most this long ago. */
const RESOLUTION_FRESH_MS = 24 * 60 * 60 * 1000
const CACHED_PLANS = 512
const CACHED_PLAN_BYTES = 64 * 1024 * 1024
const PLAN_FILES = new Set(['package.json', 'pnpm-workspace.yaml', '.npmrc', ...LOCKFILE_NAMES])

export interface EvictableEnvironments extends Environments {
  /**
   * Removes environments that were not asked for in this time and what only they needed. Does nothing, and resolves
   * with undefined, while an environment is being prepared; those asked for meanwhile wait.
   */
  evict(unusedForMs: number): Promise<Evicted | undefined>
}

/** The shared, content-keyed dependency sets of a daemon. */
export function createEnvironments(options: EnvironmentsOptions): EvictableEnvironments {
  return new StoredEnvironments(options)
}

type Installed =
  | { ok: true; key: string; links: readonly TreeLink[]; lockfile: string | undefined; reused: boolean }
  | { ok: false; diagnostics: EnvironmentResult['diagnostics'] }

interface Machinery {
  pnpm: PnpmProgram
  proxy: RegistryProxy
  storeDir: string
}

class StoredEnvironments implements EvictableEnvironments {
  readonly #options: EnvironmentsOptions
  readonly #records: EnvironmentRecords
  readonly #plans = new LRUCache<string, { result: PlanResult; size: number }>({
    max: CACHED_PLANS,
    maxSize: CACHED_PLAN_BYTES,
    sizeCalculation: ({ size }) => size,
  })
  readonly #installs = new SingleFlight<Installed>()
  #machinery: Promise<Machinery> | undefined
  #preparing = 0
  #eviction: Promise<unknown> = Promise.resolve()

  constructor(options: EnvironmentsOptions) {
    this.#options = options
    this.#records = new EnvironmentRecords(join(options.dataDir, 'environments'))
  }

  async prepare(snapshot: Snapshot, options: PrepareOptions): Promise<EnvironmentResult> {
    await this.#eviction
    this.#preparing++
    try {
      return await this.#prepare(snapshot, options)
    } finally {
      this.#preparing--
    }
  }

  async evict(unusedForMs: number): Promise<Evicted | undefined> {
    await this.#eviction
    if (this.#preparing > 0) return undefined
    this.#records.forget()
    const eviction = evictUnused(join(this.#options.dataDir, 'environments'), Date.now() - unusedForMs)
    this.#eviction = eviction.catch(() => undefined)
    return await eviction
  }

  async #prepare(snapshot: Snapshot, options: PrepareOptions): Promise<EnvironmentResult> {
    options.signal?.throwIfAborted()
    const { root, nodeVersion } = options
    const plan = await this.#plan(snapshot, root)
    if (plan === undefined) return { ok: true, environment: null, reused: true, diagnostics: [] }
    if (!('manifests' in plan)) return { ok: false, diagnostics: plan.diagnostics }
    const planned = nodeVersion === undefined ? plan : { ...plan, nodeVersion }
    const installed = await this.#installPlan(snapshot.project, planned, options)
    if (!installed.ok) return { ok: false, diagnostics: [...plan.diagnostics, ...installed.diagnostics] }
    const environment: Environment = {
      key: installed.key,
      entries: toEntries(installed.links, plan.base, root),
      binds: [{ source: this.#storeDir, target: STORE_TARGET }],
    }
    return { ok: true, environment, reused: installed.reused, diagnostics: plan.diagnostics }
  }

  async close(): Promise<void> {
    await this.#installs.abortAll(new Error('the server is stopping'))
    const machinery = await this.#machinery?.catch(() => undefined)
    await machinery?.proxy.close()
  }

  get #storeDir(): string {
    return join(this.#options.dataDir, 'environments', 'store')
  }

  /** Plans depend on a few files, whose hashes are known: most revisions need none of them read. */
  async #plan(snapshot: Snapshot, root: string): Promise<PlanResult> {
    const inputs = [root]
    let size = 1024
    for (const file of snapshot.files.values()) {
      if (!PLAN_FILES.has(posix.basename(file.path)) || file.path.includes('node_modules/')) continue
      inputs.push(file.path, file.sha256)
      size += file.size
    }
    const key = sha256(JSON.stringify(inputs))
    const known = this.#plans.get(key)
    if (known !== undefined) return known.result
    const result = await planInstall(snapshot, root)
    this.#plans.set(key, { result, size })
    return result
  }

  /**
   * A project's own lockfile makes the key. Without one, an earlier resolution of the project stands in for it, and
   * what a new resolution leads to is kept under the key of the request and with the project.
   */
  async #installPlan(project: string, plan: InstallPlan, listener: FlightListener): Promise<Installed> {
    const context = await this.#keyContext(plan)
    const manifestHash = hashManifests(plan)
    if (plan.lock !== undefined) {
      return await this.#installKey(
        environmentKey(context, manifestHash, plan.lock),
        plan,
        plan.lock,
        listener,
      )
    }
    const kept = this.#options.locks.get(project)
    const lock: PlannedLock | undefined = kept && { kind: 'exact', text: kept.lockfile }
    const requestKey = environmentKey(context, manifestHash, lock)
    if (kept?.manifestHash === manifestHash) return await this.#installKey(requestKey, plan, lock, listener)
    const installed = await this.#resolve(requestKey, context, manifestHash, plan, lock, listener)
    if (installed.ok && installed.lockfile !== undefined) {
      this.#options.locks.set(project, { manifestHash, lockfile: installed.lockfile })
    }
    return installed
  }

  async #installKey(
    key: string,
    plan: InstallPlan,
    lock: PlannedLock | undefined,
    listener: FlightListener,
  ): Promise<Installed> {
    const links = await this.#records.links(key)
    if (links !== undefined) return { ok: true, key, links, lockfile: undefined, reused: true }
    return await this.#installs.run(key, listener, async (shared) => {
      const installed = await this.#install(plan, lock, shared)
      if (!installed.ok) return installed
      await this.#records.saveLinks(key, installed.links)
      return { ...installed, key }
    })
  }

  async #resolve(
    requestKey: string,
    context: KeyContext,
    manifestHash: string,
    plan: InstallPlan,
    lock: PlannedLock | undefined,
    listener: FlightListener,
  ): Promise<Installed> {
    const known = await this.#records.resolution(requestKey)
    if (known !== undefined && Date.now() - known.resolvedAt < RESOLUTION_FRESH_MS) {
      const links = await this.#records.links(known.key)
      if (links !== undefined) {
        return { ok: true, key: known.key, links, lockfile: known.lockfile, reused: true }
      }
    }
    return await this.#installs.run(requestKey, listener, async (shared) => {
      const installed = await this.#install(plan, lock, shared)
      if (!installed.ok) return installed
      const { links, lockfile = '' } = installed
      const key = environmentKey(context, manifestHash, { kind: 'exact', text: lockfile })
      await this.#records.saveLinks(key, links)
      await this.#records.saveResolution(requestKey, { key, lockfile, resolvedAt: Date.now() })
      return { ...installed, key }
    })
  }

  async #install(
    plan: InstallPlan,
    lock: PlannedLock | undefined,
    { signal, onProgress, onLog }: Required<FlightListener> & { signal: AbortSignal },
  ): Promise<Installed> {
    const { workers, registry, installTimeoutMs: timeoutMs } = this.#options
    const { pnpm, proxy, storeDir } = await this.#start()
    const { minimumReleaseAgeMinutes } = registry
    const options = { workers, storeDir, pnpmDir: pnpm.dir, registrySocket: proxy.socket, timeoutMs }
    using disk = await guardDisk(storeDir)
    const ends = AbortSignal.any([signal, disk.signal])
    const request = { plan, lock, signal: ends, onProgress: onProgress ?? ignore, onLog: onLog ?? ignore }
    onLog?.('Installing dependencies')
    const startedAt = Date.now()
    const result = await install({ ...options, minimumReleaseAgeMinutes }, request).catch(
      (error: unknown) => {
        // Whatever an ended worker says, the reason of the end says more.
        ends.throwIfAborted()
        throw error
      },
    )
    ends.throwIfAborted()
    const durationMs = Date.now() - startedAt
    if (result.kind === 'failed') {
      const { errors, outcome } = result
      if (outcome.kind === 'violation') throw new Error(`The installer failed. ${outcome.detail}`)
      if (isOutOfSpace(errors)) throw new PreviewdError('STORAGE_FULL', 'The disk is full.')
      const diagnostics = await explainFailure(errors, outcome, {
        sources: plan.sources,
        registryFailure: proxy.failureSince(startedAt),
        knownVersions: (name) => proxy.knownVersions(name),
        timeoutMs,
        minimumReleaseAgeMinutes,
      })
      this.#options.logger?.info({ durationMs, codes: diagnostics.map(({ code }) => code) }, 'install failed')
      return { ok: false, diagnostics }
    }
    const { links, lockfile } = result.tree
    const vouched = lock === undefined || lock.kind === 'exact' ? [] : lock.packages
    const mismatches = compareIntegrity(vouched, lockfile ?? '')
    if (mismatches.length > 0) return { ok: false, diagnostics: mismatches }
    onLog?.(`Installed in ${(durationMs / 1000).toFixed(1)} s`)
    this.#options.logger?.info({ durationMs, links: links.length }, 'environment installed')
    return { ok: true, key: '', links, lockfile, reused: false }
  }

  async #keyContext({ nodeVersion }: InstallPlan): Promise<KeyContext> {
    const { registry } = this.#options
    const { pnpm } = await this.#start()
    return {
      nodeMajor: Number.parseInt(nodeVersion ?? process.versions.node, 10),
      arch: process.arch,
      pnpmVersion: pnpm.version,
      minimumReleaseAgeMinutes: registry.minimumReleaseAgeMinutes,
      registryUrl: registry.url,
    }
  }

  async #start(): Promise<Machinery> {
    this.#machinery ??= this.#startOnce().catch((error: unknown) => {
      // The next install tries again: a full disk may have been mended.
      this.#machinery = undefined
      throw error
    })
    return await this.#machinery
  }

  async #startOnce(): Promise<Machinery> {
    const { dataDir, registry } = this.#options
    await mkdir(dataDir, { recursive: true, mode: 0o711 })
    const storeDir = await openSharedStore(join(dataDir, 'environments'))
    const runDir = join(dataDir, 'run')
    await mkdir(runDir, { recursive: true, mode: 0o711 })
    await chmod(runDir, 0o711)
    const [pnpm, proxy] = await Promise.all([
      ensurePnpm(join(dataDir, 'runtime-tools')),
      startRegistryProxy({
        socket: join(runDir, 'registry.sock'),
        cacheDir: join(dataDir, 'environments', 'metadata'),
        registryUrl: registry.url,
        token: registry.token,
        ...(registry.limits && { limits: registry.limits }),
      }),
    ])
    return { pnpm, proxy, storeDir }
  }
}

function ignore(): void {
  // Nobody listens.
}
