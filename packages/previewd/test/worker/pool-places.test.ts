import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { WorkerSpec } from '../../src/model/worker.ts'
import { WarmPool } from '../../src/worker/pool.ts'
import type { Runner } from '../../src/worker/runner.ts'

const MIB = 1024 * 1024
const TIMEOUT_MS = 20_000
let pool: WarmPool
/** Environments whose workers were ended, in that order. */
let ended: string[]

/** A worker without a sandbox: what matters here is when it begins and ends. The second one is never made ready. */
function scriptedRunner(key: string): Runner {
  const done = Promise.withResolvers<void>()
  const runner = {
    ready: Promise.resolve(),
    done: done.promise,
    hasEnded: false,
    put: async () => undefined,
    rehearse: () => (key === 'second' ? done.promise : Promise.resolve()),
    memoryBytes: async () => MIB,
    stop: async () => {
      if (!runner.hasEnded) ended.push(key)
      runner.hasEnded = true
      done.resolve()
    },
  }
  return runner as unknown as Runner
}

function spec(key: string): WorkerSpec {
  const limits = {
    ...{ memoryBytes: MIB, processes: 1, wallMs: 1000, appBytes: MIB },
    ...{ tmpBytes: MIB, cpuWeight: 100, logBytes: 1000 },
  }
  return { role: 'project', limits, binds: [], ahead: { key, entries: [], root: '' } }
}

beforeEach(async () => {
  ended = []
  const launched: string[] = []
  pool = new WarmPool({
    size: 2,
    launch: async () => {
      const key = launched.length === 0 ? 'first' : 'second'
      launched.push(key)
      return scriptedRunner(key)
    },
    // The second one is in the middle of its rehearsal for as long as a test lasts.
    waits: { quietMs: 10, rehearsalMs: 600_000 },
    isBusy: () => false,
    isCrowded: () => false,
    availableBytes: () => 64 * 1024 * MIB,
    logger: undefined,
  })
  await pool.take(spec('first'))
  await expect.poll(() => pool.view().waiting, { timeout: TIMEOUT_MS }).toBe(1)
  await pool.take(spec('second'))
  await expect.poll(() => launched.length, { timeout: TIMEOUT_MS }).toBe(2)
})
afterEach(() => pool.close())

describe('a pool that makes one worker ready while another one waits', () => {
  it('gives away a place each time that it is asked for one', () => {
    pool.giveWay()
    pool.giveWay()
    expect(ended).toEqual(['second', 'first'])
  })
})
