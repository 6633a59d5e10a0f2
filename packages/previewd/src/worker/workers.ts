import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { PreviewdError } from '../errors.ts'
import type { SandboxStatus, SandboxTier, Worker, WorkerSpec, Workers } from '../model/worker.ts'
import { BRIDGE_SOCKET, bwrapArguments } from './bwrap.ts'
import type { Cgroup } from './cgroup.ts'
import { detectMachinery, type Machinery } from './detect.ts'
import { launch } from './launch.ts'
import type { ChildSettings } from './protocol.ts'
import { Runner } from './runner.ts'
import { FIRST_WORKER_UID, INSTALLER_UID, Slots } from './slots.ts'

export interface WorkersOptions {
  dataDir: string
  /** Where runtime trees are kept; `{dataDir}/runtime` by default. */
  runtimeDir?: string
  /** Project code does not run below this tier. */
  minimumTier: SandboxTier
  /** Workers of role `project` side by side; those of role `installer` have as many places of their own. */
  slots: number
  logger?: Pick<Logger, 'info' | 'warn'>
  /** Where bwrap, setpriv and prlimit are looked for, instead of the usual folders. */
  programFolders?: readonly string[]
  cgroupRoot?: string
}

const MIB = 1024 * 1024
/** Share of a worker's memory that the heap of its Node may have; the rest is for native code and files. */
const HEAP_SHARE = 0.75
const PROBE_LIMITS = {
  memoryBytes: 256 * MIB,
  processes: 64,
  wallMs: 20_000,
  appBytes: MIB,
  tmpBytes: MIB,
  cpuWeight: 100,
  logBytes: 64 * 1024,
}
const RANKS: Record<SandboxTier, number> = { off: 0, reduced: 1, full: 2 }

/** Sandboxed workers on this machine: bubblewrap, seccomp, cgroups and a host user per slot. */
export function createWorkers(options: WorkersOptions): Workers {
  return new SandboxedWorkers(options)
}

export class SandboxedWorkers implements Workers {
  readonly #options: WorkersOptions
  readonly #slots: Record<WorkerSpec['role'], Slots>
  readonly #runners = new Set<Runner>()
  #machinery: Promise<Machinery> | undefined
  #closed = false

  constructor(options: WorkersOptions) {
    this.#options = options
    this.#slots = { project: new Slots(options.slots), installer: new Slots(options.slots) }
  }

  async status(): Promise<SandboxStatus> {
    const { tier, problems } = await this.machinery()
    return { tier, usable: this.#isUsable(tier), problems }
  }

  async start(spec: WorkerSpec): Promise<Worker> {
    const machinery = await this.machinery()
    if (!this.#isUsable(machinery.tier)) {
      throw new PreviewdError(
        'SANDBOX_UNAVAILABLE',
        `The sandbox is not whole. ${machinery.problems.join(' ')}`,
      )
    }
    const runner = await this.#launchInSlot(machinery, spec)
    try {
      await runner.ready
    } catch (cause) {
      spec.signal?.throwIfAborted()
      throw new PreviewdError('SANDBOX_UNAVAILABLE', `A worker did not start: ${(cause as Error).message}`)
    }
    return runner
  }

  async close(): Promise<void> {
    this.#closed = true
    const cause = new PreviewdError('SHUTTING_DOWN', 'The workers are closed.')
    for (const slots of Object.values(this.#slots)) slots.close(cause)
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
      const probe = await this.#launchInSlot(machinery, {
        limits: PROBE_LIMITS,
        binds: [],
        role: 'installer',
      })
      await probe.ready
      await probe.stop()
      return machinery
    } catch (cause) {
      machinery.problems.push(explain((cause as Error).message))
      return { ...machinery, tier: 'off' }
    }
  }

  async #launchInSlot(machinery: Machinery, spec: WorkerSpec): Promise<Runner> {
    const slots = this.#slots[spec.role]
    const slot = await slots.take(spec.signal)
    try {
      return await this.#launch(machinery, spec, slot)
    } catch (error) {
      slots.give(slot)
      throw error
    }
  }

  async #launch(machinery: Machinery, spec: WorkerSpec, slot: number): Promise<Runner> {
    const { tools, runtimeTree, seccompFile, cgroups } = machinery
    if (!tools || !runtimeTree || !seccompFile) throw new Error('no sandbox to launch')
    if (this.#closed) throw new PreviewdError('SHUTTING_DOWN', 'The workers are closed.')
    const ownUid = spec.role === 'installer' ? INSTALLER_UID : FIRST_WORKER_UID + slot
    const uid = machinery.ownUids ? ownUid : undefined
    await prepareBinds(spec, uid)
    const name = `${spec.role}-${slot}-${randomBytes(4).toString('hex')}`
    const cgroup = await cgroups?.create(name, spec.limits)
    try {
      const settings = settingsOf(spec)
      const launched = await launch({
        tools,
        uid,
        joinFiles: cgroup?.joinFiles ?? [],
        seccompFile,
        fileBytes: Math.max(spec.limits.appBytes, spec.limits.tmpBytes),
        command: ['/usr/bin/node', '/previewd/worker/entry.js'],
        bwrapArguments: bwrapArguments(tools.bwrap, {
          runtimeTree,
          binds: spec.binds,
          ...(spec.bridge ? { bridgeSocket: spec.bridge.socket } : {}),
          appBytes: spec.limits.appBytes,
          tmpBytes: spec.limits.tmpBytes,
        }),
      })
      const runner = this.#keep(launched, spec, settings, cgroup, slot)
      // Closed while this was on its way.
      if (this.#closed) void runner.stop()
      return runner
    } catch (error) {
      await cgroup?.destroy(1_000)
      throw error
    }
  }

  #keep(
    launched: Awaited<ReturnType<typeof launch>>,
    spec: WorkerSpec,
    settings: ChildSettings,
    cgroup: Cgroup | undefined,
    slot: number,
  ): Runner {
    const runner: Runner = new Runner({
      ...launched,
      cgroup,
      settings,
      limits: spec.limits,
      signal: spec.signal,
      onTrouble: (cause) => this.#options.logger?.warn({ err: cause }, 'a worker could not be ended'),
      release: (clean) => {
        this.#runners.delete(runner)
        // A slot whose processes could not be ended is lost: nobody else may run under its user.
        if (clean) this.#slots[spec.role].give(slot)
        else this.#options.logger?.warn({ slot, role: spec.role }, 'processes of a worker could not be ended')
      },
    })
    runner.ready.catch(() => undefined)
    this.#runners.add(runner)
    return runner
  }
}

function settingsOf(spec: WorkerSpec): ChildSettings {
  const heapMib = Math.floor((spec.limits.memoryBytes * HEAP_SHARE) / MIB)
  return {
    logBytes: spec.limits.logBytes,
    prepareVite: spec.role === 'project',
    nodeFlags: [`--max-old-space-size=${heapMib}`],
    ...(spec.bridge ? { bridge: { socket: BRIDGE_SOCKET, port: spec.bridge.port } } : {}),
  }
}

/** A store that is bound for writing belongs to the installer's user; the bridge's socket is open to workers. */
async function prepareBinds(spec: WorkerSpec, uid: number | undefined): Promise<void> {
  for (const { source, target, writable } of spec.binds) {
    if (!writable) continue
    if (spec.role !== 'installer') throw new Error(`only an installer may write to ${target}`)
    if (uid !== undefined && (await stat(source)).uid !== uid) await chown(source, uid, uid)
  }
  if (spec.bridge) await chmod(spec.bridge.socket, 0o666)
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
