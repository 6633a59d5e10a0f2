import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Worker } from '../../src/model/worker.ts'
import { file, MIB, openSandbox, shell, type TestSandbox } from './sandbox.ts'

let sandbox: TestSandbox
beforeEach(async () => {
  sandbox = await openSandbox({ slots: 2 })
}, 30_000)
afterEach(async () => {
  await sandbox[Symbol.asyncDispose]()
})

/** The time at which the first program of a worker was started, in clock ticks since the machine was. */
async function startOf(worker: Worker): Promise<number> {
  const { stdout } = await shell(worker, 'cut -d" " -f22 /proc/$PPID/stat')
  return Number(stdout)
}

async function uptimeTicks(worker: Worker): Promise<number> {
  const { stdout } = await shell(worker, 'cut -d" " -f1 /proc/uptime')
  return Number(stdout) * 100
}

describe('a worker that was started ahead', () => {
  it('serves the next use of its kind, with a time and a signal of its own', async () => {
    const first = await sandbox.start({ limits: { wallMs: 60_000 } })
    await first.put([file('secret', 'of the first')])
    await first.stop()
    await using waiter = await sandbox.start({ role: 'installer' })
    const asked = await uptimeTicks(waiter)
    await using second = await sandbox.start({ limits: { wallMs: 3_000 } })
    expect(await startOf(second)).toBeLessThan(asked)
    expect((await shell(second, 'ls -A /app /tmp/home')).stdout).toBe('/app:\n\n/tmp/home:')
    expect((await shell(second, 'sleep 1000')).outcome).toEqual({ kind: 'timed_out' })
    const controller = new AbortController()
    await using third = await sandbox.start({ signal: controller.signal })
    controller.abort()
    expect((await shell(third, 'true')).outcome).toEqual({ kind: 'canceled' })
  })

  it('gives its place to one of another kind', async () => {
    await (await sandbox.start()).stop()
    const others = await Promise.all(
      [1, 2].map((n) => sandbox.start({ limits: { memoryBytes: (256 + n) * MIB } })),
    )
    for (const other of others) expect((await shell(other, 'echo ran')).stdout).toBe('ran')
    await Promise.all(others.map((other) => other.stop()))
  })

  it('is never used twice', async () => {
    await (await sandbox.start()).stop()
    const pair = await Promise.all([sandbox.start(), sandbox.start()])
    await pair[0].put([file('mine', '')])
    expect((await shell(pair[1], 'ls')).stdout).toBe('')
    await Promise.all(pair.map((worker) => worker.stop()))
  })

  it('ends with the others', async () => {
    await (await sandbox.start()).stop()
    await sandbox.workers.close()
    await expect(sandbox.start()).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
  })
})
