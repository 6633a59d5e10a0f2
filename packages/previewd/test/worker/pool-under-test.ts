import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Ahead, InputEntry, Worker } from '../../src/model/worker.ts'
import { reachableModules } from './reachable-modules.ts'
import { MIB, openSandbox, type TestSandbox } from './sandbox.ts'

export type Overrides = Parameters<TestSandbox['start']>[0]

const READY_TIMEOUT_MS = 60_000
/** Nobody's dev server starts at the same time here. */
const QUIET_MS = 20
const LOOK_EVERY_MS = 50

export const VITE: InputEntry = {
  kind: 'link',
  path: 'node_modules/vite',
  target: '/store/node_modules/vite',
}

export const ahead = (key = 'first', overrides: Partial<Ahead> = {}): Ahead => ({
  key,
  entries: [VITE],
  root: '',
  ...overrides,
})

/** What the pools of a file's tests share: a Vite, and the runtime tree. */
export async function poolMaterial() {
  const modules = await reachableModules('vite')
  const runtimeDir = await mkdtemp(join(tmpdir(), 'previewd-runtime-'))
  await chmod(runtimeDir, 0o711)
  return {
    runtimeDir,
    binds: [{ source: modules.path, target: '/store/node_modules' }],
    [Symbol.asyncDispose]: async () => {
      await modules[Symbol.asyncDispose]()
      await rm(runtimeDir, { recursive: true, force: true })
    },
  }
}

export type PoolMaterial = Awaited<ReturnType<typeof poolMaterial>>

/** A pool of two, in a sandbox of three places. */
export class PoolUnderTest implements AsyncDisposable {
  readonly sandbox: TestSandbox
  readonly #material: PoolMaterial
  /** Of the machine, as the pool sees it. */
  availableBytes = 64 * 1024 * MIB

  static async open(material: PoolMaterial, { rehearsalMs = 20_000 } = {}): Promise<PoolUnderTest> {
    const sandbox = await openSandbox({
      slots: 3,
      poolSize: 2,
      runtimeDir: material.runtimeDir,
      poolWaits: { quietMs: QUIET_MS, lookEveryMs: LOOK_EVERY_MS, rehearsalMs },
      availableBytes: () => pool.availableBytes,
    })
    const pool = new PoolUnderTest(sandbox, material)
    return pool
  }

  private constructor(sandbox: TestSandbox, material: PoolMaterial) {
    this.sandbox = sandbox
    this.#material = material
  }

  start(overrides: Overrides = {}): Promise<Worker> {
    return this.sandbox.start({ binds: this.#material.binds, ahead: ahead(), ...overrides })
  }

  view() {
    return this.sandbox.workers.pool()
  }

  async untilWaiting(count: number): Promise<void> {
    const waiting = () => this.view().waiting
    await expect.poll(waiting, { timeout: READY_TIMEOUT_MS, interval: 20 }).toBe(count)
  }

  /** Uses a worker and waits for the one that follows it. */
  async fill(overrides: Overrides = {}, waiting = 1): Promise<void> {
    await (await this.start(overrides)).stop()
    await this.untilWaiting(waiting)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sandbox[Symbol.asyncDispose]()
  }
}
