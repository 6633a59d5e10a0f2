import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ahead, type PoolMaterial, PoolUnderTest, poolMaterial, VITE } from './pool-under-test.ts'
import { file, MIB, openSandbox, script, shell } from './sandbox.ts'

let material: PoolMaterial
let pool: PoolUnderTest

beforeAll(async () => {
  material = await poolMaterial()
})
afterAll(() => material[Symbol.asyncDispose]())
beforeEach(async () => {
  pool = await PoolUnderTest.open(material)
})
afterEach(() => pool[Symbol.asyncDispose]())

describe('the pool', () => {
  it('has a worker ready for the second use of an environment, with its links in place', async () => {
    const first = await pool.start()
    expect(first.waited).toBe(false)
    await first.stop()
    await pool.untilWaiting(1)
    await using second = await pool.start()
    expect(second.waited).toBe(true)
    expect((await shell(second, 'readlink node_modules/vite')).stdout).toBe('/store/node_modules/vite')
    expect(pool.view()).toMatchObject({ hits: 1, misses: 1 })
  })

  it('gives out each worker once, and none that has seen a project', async () => {
    const first = await pool.start()
    await first.put([VITE, file('secret', 'of the first')])
    await shell(first, 'echo left > /tmp/left; echo left > /tmp/home/left')
    await first.stop()
    await pool.untilWaiting(1)
    const pair = await Promise.all([pool.start(), pool.start()])
    expect(pair.map(({ waited }) => waited)).toEqual([true, false])
    await pair[0].put([file('mine', '')])
    const seen = await shell(pair[1], 'ls -A /app /tmp /tmp/home')
    expect(seen.stdout).toBe('/app:\n\n/tmp:\nhome\n\n/tmp/home:')
    const waited = await shell(pair[0], 'ls -A /app /tmp /tmp/home')
    expect(waited.stdout).toBe('/app:\nmine\nnode_modules\n\n/tmp:\nhome\n\n/tmp/home:')
    await Promise.all(pair.map((worker) => worker.stop()))
  })

  it.each([
    ['another environment', { ahead: ahead('second') }],
    ['another folder', { ahead: ahead('first', { root: 'web' }) }],
    ['other limits', { limits: { memoryBytes: 400 * MIB } }],
    ['other mounts', { binds: [] }],
    ['another Node', { node: process.execPath }],
    ['a dev server', { listen: '/unused/dev.sock' }],
  ])('has nothing for %s', async (_, overrides) => {
    await pool.fill()
    const listen = 'listen' in overrides ? { listen: join(pool.sandbox.folder, 'data/run/dev.sock') } : {}
    await using other = await pool.start({ ...overrides, ...listen })
    expect(other.waited).toBe(false)
  })

  it('keeps to the limits of each use', async () => {
    await pool.fill()
    await using timed = await pool.start({ limits: { wallMs: 2_000, cpuWeight: 77 } })
    expect(timed.waited).toBe(true)
    expect((await shell(timed, 'sleep 1000')).outcome).toEqual({ kind: 'timed_out' })
    await pool.untilWaiting(1)
    const controller = new AbortController()
    await using canceled = await pool.start({ signal: controller.signal })
    expect(canceled.waited).toBe(true)
    controller.abort()
    expect((await shell(canceled, 'true')).outcome).toEqual({ kind: 'canceled' })
    await pool.untilWaiting(1)
    await using large = await pool.start()
    const written = await shell(large, 'head -c 100m /dev/zero > large || { rm large; exit 1; }')
    expect(written.outcome).toMatchObject({ kind: 'failed' })
    const eaten = await script(large, 'const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))')
    expect(eaten.outcome).toEqual({ kind: 'out_of_memory' })
  })

  it('keeps the environments that were used most', async () => {
    for (const key of ['often', 'often', 'seldom', 'often'])
      await (await pool.start({ ahead: ahead(key) })).stop()
    await pool.untilWaiting(2)
    await (await pool.start({ ahead: ahead('new') })).stop()
    await (await pool.start({ ahead: ahead('new') })).stop()
    await expect
      .poll(
        async () => {
          await using worker = await pool.start({ ahead: ahead('new') })
          return worker.waited
        },
        { interval: 300 },
      )
      .toBe(true)
    await pool.untilWaiting(2)
    await using often = await pool.start({ ahead: ahead('often') })
    await using seldom = await pool.start({ ahead: ahead('seldom') })
    expect([often.waited, seldom.waited]).toEqual([true, false])
  })

  it('gives its places to those who need them', async () => {
    await pool.fill()
    await pool.fill({ ahead: ahead('second') }, 2)
    const others = await Promise.all([1, 2, 3].map((n) => pool.start({ ahead: ahead(`other ${n}`) })))
    for (const other of others) expect((await shell(other, 'echo ran')).stdout).toBe('ran')
    expect(pool.view().waiting).toBe(0)
    await Promise.all(others.map((other) => other.stop()))
  })

  it('gives its memory back where the machine has become short of it', async () => {
    await pool.fill()
    pool.availableBytes = 100 * MIB
    await expect.poll(() => pool.view().waiting).toBe(0)
    await using next = await pool.start()
    expect(next.waited).toBe(false)
  })

  it('has nothing where a worker has ended while it waited', async () => {
    await pool.fill()
    await pool.sandbox.workers.close()
    await expect(pool.start()).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    expect(pool.view().waiting).toBe(0)
  })

  it('is off where its size is 0', async () => {
    await using off = await openSandbox({ poolSize: 0 })
    await (await off.start({ ahead: ahead('any', { entries: [] }) })).stop()
    expect(off.workers.pool()).toEqual({ waiting: 0, due: 0, hits: 0, misses: 0 })
  })
})
