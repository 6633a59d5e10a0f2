import { chmod, mkdir, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { PreviewdError } from '../errors.ts'
import type { PoolView, SandboxStatus, SandboxTier, Worker, WorkerSpec, Workers } from '../model/worker.ts'
import { detectMachinery, type Machinery } from './detect.ts'
import { type LaunchedSpec, launchRunner } from './launcher.ts'
import { type PoolWaits, WarmPool } from './pool.ts'
import type { Runner } from './runner.ts'
import { Slots } from './slots.ts'

export interface WorkersOptions {
  dataDir: string
  /** Where runtime trees are kept; `{dataDir}/runtime` by default. */
  runtimeDir?: string
  /** Project code does not run below this tier. */
  minimumTier: SandboxTier
  /** Workers of role `project` side by side. */
  slots: number
  /** Workers of role `installer` side by side, in places of their own; as many as `slots` by default. */
  installerSlots?: number
  /** Workers that wait, ready, for the next use of an environment; none by default. They need places, too. */
  poolSize?: number
  poolWaits?: Partial<PoolWaits>
  /** Memory that the machine could still give; what Node knows of it by default. */
  availableBytes?: () => number
  logger?: Pick<Logger, 'info' | 'warn'>
  /** Where bwrap, setpriv and prlimit are looked for, instead of the usual folders. */
  programFolders?: readonly string[]
  cgroupRoot?: string
}

const MIB = 1024 * 1024
const PROBE_LIMITS = {
  memoryBytes: 256 * MIB,
  processes: 64,
  wallMs: 20_000,
  appBytes: MIB,
  tmpBytes: MIB,
  cpuWeight: 100,
  logBytes: 64 * 1024,
}
const NEVER_WITHOUT = 'Without any sandbox, project code does not run here, whatever the settings.'
const RANKS: Record<SandboxTier, number> = { off: 0, reduced: 1, full: 2 }

/** Sandboxed workers on this machine: bubblewrap, seccomp, cgroups and a host user per slot. */
export function createWorkers(options: WorkersOptions): Workers {
  return new SandboxedWorkers(options)
}

export class SandboxedWorkers implements Workers {
  readonly #options: WorkersOptions
  readonly #slots: Record<WorkerSpec['role'], Slots>
  readonly #runners = new Set<Runner>()
  readonly #launches = new Set<Promise<unknown>>()
  readonly #pool: WarmPool
  /** Workers that keep a processor busy. */
  #builds = 0
  #machinery: Promise<Machinery> | undefined

  constructor(options: WorkersOptions) {
    this.#options = options
    this.#slots = {
      project: new Slots(options.slots),
      installer: new Slots(options.installerSlots ?? options.slots),
    }
    this.#pool = new WarmPool({
      size: options.poolSize ?? 0,
      waits: options.poolWaits,
      launch: (spec) => this.#launchAhead(spec),
      isBusy: () => this.#builds >= availableParallelism() / 2,
      isCrowded: () => this.#slots.project.hasWaiting,
      availableBytes: options.availableBytes ?? (() => process.availableMemory()),
      logger: options.logger,
    })
  }

  async status(): Promise<SandboxStatus> {
    const { tier, problems } = await this.machinery()
    return { tier, usable: this.#isUsable(tier), problems }
  }

  async start(spec: WorkerSpec): Promise<Worker> {
    const machinery = await this.machinery()
    if (!this.#isUsable(machinery.tier)) {
      const impossible = machinery.tier === 'off' && this.#options.minimumTier === 'off'
      const reason = [...machinery.problems, ...(impossible ? [NEVER_WITHOUT] : [])].join(' ')
      throw new PreviewdError('SANDBOX_UNAVAILABLE', `The sandbox is not whole. ${reason}`)
    }
    const waited = await this.#pool.take(spec)
    const runner = waited ?? (await this.#launchInSlot(machinery, spec, spec.signal))
    runner.begin(spec.limits.wallMs, spec.signal)
    try {
      await runner.ready
    } catch (cause) {
      spec.signal?.throwIfAborted()
      throw new PreviewdError('SANDBOX_UNAVAILABLE', `A worker did not start: ${(cause as Error).message}`)
    }
    if (spec.listen === undefined) this.#countBuild(runner)
    return runner
  }

  pool(): PoolView {
    return this.#pool.view()
  }

  async memoryBytes(): Promise<number> {
    const held = await Promise.all([...this.#runners].map((runner) => runner.memoryBytes()))
    return held.reduce((sum, bytes) => sum + bytes, 0)
  }

  async close(): Promise<void> {
    this.#pool.close()
    const cause = new PreviewdError('SHUTTING_DOWN', 'The workers are closed.')
    for (const slots of Object.values(this.#slots)) slots.close(cause)
    await Promise.allSettled(this.#launches)
    await Promise.all([...this.#runners].map((runner) => runner.stop()))
    const machinery = await this.#machinery
    await machinery?.cgroups?.close()
  }

  /** There is no way to run project code without a sandbox, whatever the operator allows. */
  #isUsable(tier: SandboxTier): boolean {
    return tier !== 'off' && RANKS[tier] >= RANKS[this.#options.minimumTier]
  }

  /** What was found on this machine; looked for once. */
  async machinery(): Promise<Machinery> {
    this.#machinery ??= this.#detectOnce().catch((cause) => ({
      tier: 'off' as const,
      problems: [`The sandbox could not be prepared: ${(cause as Error).message}.`],
      ownUids: false,
    }))
    return await this.#machinery
  }

  async #detectOnce(): Promise<Machinery> {
    const { dataDir, runtimeDir = join(dataDir, 'runtime') } = this.#options
    await openToWorkers(dataDir)
    const machinery = await detectMachinery({ ...this.#options, runtimeDir })
    await machinery.cgroups?.sweep()
    if (machinery.tier === 'off') return machinery
    try {
      const spec: LaunchedSpec = { limits: PROBE_LIMITS, binds: [], role: 'installer' }
      const probe = await this.#launchInSlot(machinery, spec, undefined)
      await probe.ready
      await probe.stop()
      return machinery
    } catch (cause) {
      machinery.problems.push(explain((cause as Error).message))
      return { ...machinery, tier: 'off' }
    }
  }

  async #launchAhead(spec: LaunchedSpec): Promise<Runner | undefined> {
    if (!this.#slots[spec.role].hasFree) return undefined
    return await this.#launchInSlot(await this.machinery(), spec, undefined)
  }

  #countBuild(runner: Runner): void {
    this.#builds++
    void runner.done.then(() => {
      this.#builds--
      this.#pool.refillSoon()
    })
  }

  async #launchInSlot(
    machinery: Machinery,
    spec: LaunchedSpec,
    signal: AbortSignal | undefined,
  ): Promise<Runner> {
    const slots = this.#slots[spec.role]
    if (!slots.hasFree && spec.role === 'project') this.#pool.giveWay()
    const slot = await slots.take(signal)
    const launch = this.#launch(machinery, spec, slot)
    this.#launches.add(launch)
    try {
      return await launch
    } catch (error) {
      slots.give(slot)
      throw error
    } finally {
      this.#launches.delete(launch)
    }
  }

  async #launch(machinery: Machinery, spec: LaunchedSpec, slot: number): Promise<Runner> {
    const { logger } = this.#options
    const runner: Runner = await launchRunner(machinery, spec, slot, {
      onTrouble: (cause) => logger?.warn({ err: cause }, 'a worker could not be ended'),
      release: (clean) => {
        this.#runners.delete(runner)
        // A slot whose processes could not be ended is lost: nobody else may run under its user.
        if (clean) this.#slots[spec.role].give(slot)
        else logger?.warn({ slot, role: spec.role }, 'processes of a worker could not be ended')
      },
    })
    runner.ready.catch(() => undefined)
    this.#runners.add(runner)
    return runner
  }
}

/** The runtime tree below it is read by other users. What is private in it is in folders of their own mode. */
async function openToWorkers(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o711 })
  const { mode, uid } = await stat(dataDir)
  if (uid === process.getuid?.() && (mode & 0o001) === 0) await chmod(dataDir, (mode & 0o777) | 0o011)
}

function explain(message: string): string {
  if (/user namespace|uid map|Operation not permitted|No permissions/i.test(message)) {
    return `bubblewrap cannot make a user namespace (${message}); see \`previewd doctor\`.`
  }
  return `A trial of the sandbox failed: ${message}`
}
