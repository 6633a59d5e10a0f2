import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ahead,
  type Overrides,
  type PoolMaterial,
  PoolUnderTest,
  poolMaterial,
  VITE,
} from './pool-under-test.ts'
import { collected, file, MIB, run, script } from './sandbox.ts'

let material: PoolMaterial

beforeAll(async () => {
  material = await poolMaterial()
})
afterAll(() => material[Symbol.asyncDispose]())

describe('a worker that waited', () => {
  it('builds as one that was just started', async () => {
    await using pool = await PoolUnderTest.open(material)
    await pool.fill({ limits: { memoryBytes: 1024 * MIB } })
    const outputs: Map<string, string>[] = []
    for (const waited of [true, false]) {
      const key = waited ? 'first' : 'never used before'
      await using worker = await pool.start({ ahead: ahead(key), limits: { memoryBytes: 1024 * MIB } })
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
    await using pool = await PoolUnderTest.open(material, { rehearsalMs: 1_000 })
    // Rehearsed where there is nothing but this Vite; the project then finds another one.
    const entries = [
      file(
        'node_modules/vite/package.json',
        '{"name":"vite","type":"module","exports":{".":"./index.js","./package.json":"./package.json"}}',
      ),
      file('node_modules/vite/index.js', `${source}\nexport const build = () => undefined`),
    ]
    const broken = ahead('broken', { entries })
    await pool.fill({ ahead: broken, limits: { memoryBytes: 1024 * MIB } })
    await using worker = await pool.start({ ahead: broken, limits: { memoryBytes: 1024 * MIB } })
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
    await using pool = await PoolUnderTest.open(material)
    const folder = join(pool.sandbox.folder, 'data/run')
    const hosts = await Promise.all(
      ['first', 'second'].map(async (name) => {
        const server = createServer((socket) => socket.end(name))
        const path = join(pool.sandbox.folder, `${name}.sock`)
        await once(server.listen(path), 'listening')
        return { path, [Symbol.asyncDispose]: async () => void server.close() }
      }),
    )
    const use = (index: number): Overrides => ({
      limits: { memoryBytes: 1024 * MIB },
      listen: join(folder, `dev-${index}.sock`),
      bridge: { socket: hosts[index]?.path ?? '', port: 3128 },
    })
    await pool.fill(use(0))
    expect(existsSync(join(folder, 'dev-0.sock'))).toBe(false)
    const worker = await pool.start(use(1))
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
