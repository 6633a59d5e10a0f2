import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Ahead, InputEntry, Worker } from '../../src/model/worker.ts'
import { reachableModules } from './reachable-modules.ts'
import { collected, file, MIB, openSandbox, run, script, shell, type TestSandbox } from './sandbox.ts'

type Modules = Awaited<ReturnType<typeof reachableModules>>

const READY_TIMEOUT_MS = 60_000
let modules: Modules
let sandbox: TestSandbox
let availableBytes: number

beforeAll(async () => {
  modules = await reachableModules('vite')
})
afterAll(async () => {
  await modules[Symbol.asyncDispose]()
})
beforeEach(async () => {
  availableBytes = 64 * 1024 * MIB
  sandbox = await openSandbox({
    slots: 3,
    poolSize: 2,
    rehearsalMs: 10_000,
    availableBytes: () => availableBytes,
  })
}, 30_000)
afterEach(async () => {
  await sandbox[Symbol.asyncDispose]()
})

const VITE: InputEntry = { kind: 'link', path: 'node_modules/vite', target: '/store/node_modules/vite' }
const ahead = (key = 'first', overrides: Partial<Ahead> = {}): Ahead => ({
  key,
  entries: [VITE],
  root: '',
  ...overrides,
})
const binds = () => [{ source: modules.path, target: '/store/node_modules' }]

type Overrides = Parameters<TestSandbox['start']>[0]

function start(overrides: Overrides = {}): Promise<Worker> {
  return sandbox.start({ binds: binds(), ahead: ahead(), ...overrides })
}

async function untilWaiting(count: number): Promise<void> {
  await expect
    .poll(() => sandbox.workers.pool().waiting, { timeout: READY_TIMEOUT_MS, interval: 20 })
    .toBe(count)
}

/** Uses a worker and waits for the one that follows it. */
async function fill(overrides: Overrides = {}, waiting = 1): Promise<void> {
  await (await start(overrides)).stop()
  await untilWaiting(waiting)
}

describe('the pool', () => {
  it('has a worker ready for the second use of an environment, with its links in place', async () => {
    const first = await start()
    expect(first.waited).toBe(false)
    await first.stop()
    await untilWaiting(1)
    await using second = await start()
    expect(second.waited).toBe(true)
    expect((await shell(second, 'readlink node_modules/vite')).stdout).toBe('/store/node_modules/vite')
    expect(sandbox.workers.pool()).toMatchObject({ hits: 1, misses: 1 })
  })

  it('gives out each worker once, and none that has seen a project', async () => {
    const first = await start()
    await first.put([VITE, file('secret', 'of the first')])
    await shell(first, 'echo left > /tmp/left; echo left > /tmp/home/left')
    await first.stop()
    await untilWaiting(1)
    const pair = await Promise.all([start(), start()])
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
    await fill()
    const listen = 'listen' in overrides ? { listen: join(sandbox.folder, 'data/run/dev.sock') } : {}
    await using other = await start({ ...overrides, ...listen })
    expect(other.waited).toBe(false)
  })

  it('keeps to the limits of each use', async () => {
    await fill()
    await using timed = await start({ limits: { wallMs: 2_000, cpuWeight: 77 } })
    expect(timed.waited).toBe(true)
    expect((await shell(timed, 'sleep 1000')).outcome).toEqual({ kind: 'timed_out' })
    await untilWaiting(1)
    const controller = new AbortController()
    await using canceled = await start({ signal: controller.signal })
    expect(canceled.waited).toBe(true)
    controller.abort()
    expect((await shell(canceled, 'true')).outcome).toEqual({ kind: 'canceled' })
    await untilWaiting(1)
    await using large = await start()
    const written = await shell(large, 'head -c 100m /dev/zero > large || { rm large; exit 1; }')
    expect(written.outcome).toMatchObject({ kind: 'failed' })
    const eaten = await script(large, 'const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))')
    expect(eaten.outcome).toEqual({ kind: 'out_of_memory' })
  })

  it('keeps the environments that were used most', async () => {
    for (const key of ['often', 'often', 'seldom', 'often']) await (await start({ ahead: ahead(key) })).stop()
    await untilWaiting(2)
    await (await start({ ahead: ahead('new') })).stop()
    await (await start({ ahead: ahead('new') })).stop()
    await expect
      .poll(
        async () => {
          await using worker = await start({ ahead: ahead('new') })
          return worker.waited
        },
        { timeout: READY_TIMEOUT_MS, interval: 3_000 },
      )
      .toBe(true)
    await untilWaiting(2)
    await using often = await start({ ahead: ahead('often') })
    await using seldom = await start({ ahead: ahead('seldom') })
    expect([often.waited, seldom.waited]).toEqual([true, false])
  })

  it('gives its places to those who need them', async () => {
    await fill()
    await fill({ ahead: ahead('second') }, 2)
    const others = await Promise.all([1, 2, 3].map((n) => start({ ahead: ahead(`other ${n}`) })))
    for (const other of others) expect((await shell(other, 'echo ran')).stdout).toBe('ran')
    expect(sandbox.workers.pool().waiting).toBe(0)
    await Promise.all(others.map((other) => other.stop()))
  })

  it('gives its memory back where the machine has become short of it', async () => {
    await fill()
    availableBytes = 100 * MIB
    await expect.poll(() => sandbox.workers.pool().waiting, { timeout: READY_TIMEOUT_MS }).toBe(0)
    await using next = await start()
    expect(next.waited).toBe(false)
  })

  it('has nothing where a worker has ended while it waited', async () => {
    await fill()
    await sandbox.workers.close()
    await expect(start()).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    expect(sandbox.workers.pool().waiting).toBe(0)
  })

  it('is off where its size is 0', async () => {
    await using off = await openSandbox({ poolSize: 0 })
    await (await off.start({ ahead: ahead('any', { entries: [] }) })).stop()
    expect(off.workers.pool()).toEqual({ waiting: 0, due: 0, hits: 0, misses: 0 })
  })
})

describe('a worker that waited', () => {
  it('builds as one that was just started', async () => {
    await fill({ limits: { memoryBytes: 1024 * MIB } })
    const outputs: Map<string, string>[] = []
    for (const waited of [true, false]) {
      await using worker = await start({ limits: { memoryBytes: 1024 * MIB } })
      expect(worker.waited).toBe(waited)
      await worker.put([
        ...(waited ? [] : [VITE]),
        file('package.json', '{"type":"module"}'),
        file(
          'index.html',
          '<script type="module" src="/main.ts"></script><link rel="stylesheet" href="/a.css">',
        ),
        file('main.ts', 'console.log(import.meta.env.MODE, import.meta.env.VITE_NAME as string)'),
        file('a.css', '.a { color: red }'),
        file(
          'vite.config.js',
          `import { writeFileSync } from 'node:fs'
          const events = process.eventNames().map((name) => [String(name), process.listenerCount(name)])
          const state = { env: process.env, argv: process.argv, cwd: process.cwd(), events: events.sort(),
            globals: Reflect.ownKeys(globalThis).map(String).sort() }
          export default { plugins: [{ name: 'state', closeBundle: () =>
            writeFileSync('dist/state.json', JSON.stringify(state)) }] }`,
        ),
      ])
      const env = { VITE_NAME: 'given' }
      const { outcome, stderr } = await run(worker, { kind: 'vite-build', root: '', options: {}, env })
      expect(outcome, stderr).toEqual({ kind: 'succeeded', outDir: '/app/dist' })
      outputs.push(await collected(worker, '/app/dist'))
    }
    const [warm, cold] = outputs.map((output) => new Map([...output].sort()))
    expect(JSON.parse(warm?.get('state.json') ?? '')).toEqual(JSON.parse(cold?.get('state.json') ?? ''))
    expect(warm).toEqual(cold)
  })

  it.each([
    ['throws', 'throw new Error("not today")'],
    ['exits', 'process.exit(7)'],
    ['kills itself', 'process.kill(process.pid, "SIGKILL")'],
    ['never ends', 'for (;;);'],
    ['waits for what never comes', 'await new Promise((resolve) => setTimeout(resolve, 1e6))'],
    [
      'says what was not asked',
      'import { writeSync } from "node:fs"; writeSync(3, Buffer.from([0, 0, 0, 1, 1, 0x7b]))',
    ],
  ])('is as good as a new one where the rehearsal of its Vite %s', async (_, source) => {
    // Rehearsed where there is nothing but this Vite; the project then finds another one.
    const entries = [
      file(
        'node_modules/vite/package.json',
        '{"name":"vite","type":"module","exports":{".":"./index.js","./package.json":"./package.json"}}',
      ),
      file('node_modules/vite/index.js', `${source}\nexport const build = () => undefined`),
    ]
    const broken = ahead('broken', { entries })
    await fill({ ahead: broken, limits: { memoryBytes: 1024 * MIB } })
    await using worker = await start({ ahead: broken, limits: { memoryBytes: 1024 * MIB } })
    expect(worker.waited).toBe(true)
    await worker.remove(['node_modules/vite'])
    await worker.put([
      VITE,
      file('package.json', '{"type":"module"}'),
      file('index.html', '<script type="module" src="/main.js"></script>'),
      file('main.js', 'console.log(1)'),
    ])
    const { outcome, lines } = await run(worker, { kind: 'vite-build', root: '', options: {}, env: {} })
    expect(outcome, JSON.stringify(lines)).toMatchObject({ kind: 'succeeded' })
    expect(JSON.stringify(lines)).not.toContain('not today')
  })

  it('serves at the socket of its use, and has the way out of its use', async () => {
    const folder = join(sandbox.folder, 'data/run')
    const hosts = await Promise.all(
      ['first', 'second'].map(async (name) => {
        const server = createServer((socket) => socket.end(name))
        const path = join(sandbox.folder, `${name}.sock`)
        await once(server.listen(path), 'listening')
        return { path, [Symbol.asyncDispose]: async () => void server.close() }
      }),
    )
    const use = (index: number): Overrides => ({
      limits: { memoryBytes: 1024 * MIB },
      listen: join(folder, `dev-${index}.sock`),
      bridge: { socket: hosts[index]?.path ?? '', port: 3128 },
    })
    await fill(use(0))
    expect(existsSync(join(folder, 'dev-0.sock'))).toBe(false)
    const worker = await start(use(1))
    expect(worker.waited).toBe(true)
    const asked = await script(
      worker,
      `import { connect } from 'node:net'
      for await (const bytes of connect(3128, '127.0.0.1')) console.log(String(bytes))`,
    )
    expect(asked.stdout).toBe('second')
    await worker.put([file('index.html', 'page'), file('package.json', '{"type":"module"}')])
    const server = await worker.serve({ kind: 'vite-dev', root: '', env: {} }, 1)
    expect(server).toMatchObject({ socket: join(folder, 'dev-1.sock') })
    const page = connect(join(folder, 'dev-1.sock'))
    page.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
    expect((await Array.fromAsync(page)).join('')).toContain('page')
    await worker.stop()
    expect(existsSync(join(folder, 'dev-1.sock'))).toBe(false)
    for (const host of hosts) await host[Symbol.asyncDispose]()
  })
})
