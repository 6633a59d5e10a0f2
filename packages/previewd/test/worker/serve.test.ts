import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { DevServer, LogLine, Worker } from '../../src/model/worker.ts'
import { reachableModules } from './reachable-modules.ts'
import { file, MIB, openSandbox, type TestSandbox } from './sandbox.ts'

let modules: Awaited<ReturnType<typeof reachableModules>>
let sandbox: TestSandbox
beforeAll(async () => {
  modules = await reachableModules('vite')
  sandbox = await openSandbox()
})
afterAll(async () => {
  await sandbox[Symbol.asyncDispose]()
  await modules[Symbol.asyncDispose]()
})

const MEMORY_BYTES = 1024 * 1024 * 1024
const APP = {
  'package.json': '{"type":"module"}',
  'index.html': '<script type="module" src="/main.js"></script>',
  'main.js':
    'import { a } from "./a.ts"; import { b } from "./b.js"; console.log(a, b); import.meta.hot?.accept()',
  'a.ts': 'export const a = "first a"',
  'b.js': 'export const b = "first b"',
}

interface Served extends AsyncDisposable {
  worker: Worker
  server: DevServer
  socket: string
  lines: LogLine[]
}

async function serve(files: Record<string, string> = {}): Promise<Served> {
  const socket = join(sandbox.folder, 'data/run', `${crypto.randomUUID()}.sock`)
  const worker = await sandbox.start({
    binds: [{ source: modules.path, target: '/store/node_modules' }],
    // One that ends by its time in the middle of a test has no memory left, which would count as given back.
    limits: { memoryBytes: MEMORY_BYTES, wallMs: 600_000 },
    listen: socket,
  })
  await worker.put([
    ...Object.entries({ ...APP, ...files }).map(([path, content]) => file(path, content)),
    { kind: 'link', path: 'node_modules/vite', target: '/store/node_modules/vite' },
  ])
  const lines: LogLine[] = []
  const server = await worker.serve({ kind: 'vite-dev', root: '', env: { VITE_NAME: 'given' } }, 1, (line) =>
    lines.push(line),
  )
  if ('socket' in server) return { worker, server, socket, lines, [Symbol.asyncDispose]: () => worker.stop() }
  await worker.stop()
  throw new Error(`${JSON.stringify(server)} ${lines.map(({ text }) => text).join('\n')}`)
}

async function get(socketPath: string, path: string): Promise<{ status: number; text: string }> {
  const asked = request({ socketPath, path, agent: false, headers: { host: 'demo.example.org:4400' } }).end()
  const [answer] = await once(asked, 'response')
  return {
    status: answer.statusCode,
    text: (await Array.fromAsync(answer as AsyncIterable<Buffer>)).join(''),
  }
}

interface OpenedPage {
  /** Addresses that it was told to ask for ahead. */
  coming: string[]
  /** What it was told besides. */
  next: () => Promise<Record<string, unknown>>
  say: (event: string, data: unknown) => void
  close: () => void
}

/** Loads the modules as a page would, then follows what the page would be told. */
async function openPage({ socket }: Served): Promise<OpenedPage> {
  for (const path of ['/', '/main.js', '/a.ts', '/b.js']) await get(socket, path)
  const client = await get(socket, '/@vite/client')
  const token = /wsToken = "([^"]+)"/.exec(client.text)?.[1]
  const page = new WebSocket(`ws+unix://${socket}:/?token=${token}`, 'vite-hmr', {
    headers: { host: 'demo.example.org:4400' },
  })
  const coming: string[] = []
  const told: Record<string, unknown>[] = []
  let wake: () => void = () => undefined
  page.on('message', (text) => {
    const message = JSON.parse(String(text))
    if (message.event === 'previewd:coming') return void coming.push(...message.data)
    told.push(message)
    wake()
  })
  const next = async () => {
    while (told.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return told.shift() as Record<string, unknown>
  }
  expect(await next()).toEqual({ type: 'connected' })
  const say = (event: string, data: unknown) => page.send(JSON.stringify({ type: 'custom', event, data }))
  return { coming, next, say, close: () => page.terminate() }
}

/** `updates`: messages with updates before it, for a page to know whether it got all of them. */
const revisionEvent = (revision: number, kind: string, updates = kind === 'hmr' ? 1 : 0) => ({
  type: 'custom',
  event: 'previewd:revision',
  data: { revision, kind, updates },
})

describe('a dev server in a worker', () => {
  it('answers at the socket of the host, under any Host', async () => {
    await using served = await serve({ 'main.js': 'console.log(import.meta.env.VITE_NAME)' })
    expect((await get(served.socket, '/')).text).toContain('/@vite/client')
    expect((await get(served.socket, '/main.js')).text).toContain('given')
  })

  it('tells open pages of a batch once, whatever its size, and then of the revision', async () => {
    await using served = await serve()
    const page = await openPage(served)
    await served.worker.put([file('a.ts', 'export const a = 2'), file('b.js', 'export const b = 2')])
    const update = await served.server.update(7, [
      { path: 'a.ts', kind: 'modified' },
      { path: 'b.js', kind: 'modified' },
    ])
    expect(update).toEqual({ kind: 'hmr', errors: [] })
    expect(await page.next()).toMatchObject({ type: 'update', updates: [{ path: '/main.js' }] })
    expect(await page.next()).toEqual(revisionEvent(7, 'hmr'))
    expect((await get(served.socket, '/a.ts')).text).toContain('a = 2')
    page.close()
  })

  it('tells a page to load anew that was not connected yet when the others were told, once', async () => {
    await using served = await serve({
      'vite.config.js': `export default { plugins: [{ name: 'tells', configureServer(server) {
        server.middlewares.use('/tell', (_, res) => {
          server.ws.send({ type: 'full-reload', path: '*' })
          res.end()
        }) } }] }`,
    })
    /** What a page runs first that is loaded now. */
    const loaded = async () => {
      const { text } = await get(served.socket, '/@previewd/hot')
      const [, event = '', count] = /hot\.send\(["'](\S+)["'], (\d+)\)/.exec(text) ?? []
      return [event, Number(count)] as const
    }
    const open = await openPage(served)
    const early = await loaded()
    await get(served.socket, '/tell')
    expect(await open.next()).toMatchObject({ type: 'full-reload' })
    const late = await openPage(served)
    late.say(...early)
    expect(await late.next()).toMatchObject({ type: 'full-reload' })
    const again = await openPage(served)
    again.say(...(await loaded()))
    await get(served.socket, '/b.js')
    await served.server.update(2, [])
    expect(await again.next()).toEqual(revisionEvent(2, 'none'))
    for (const page of [open, late, again]) page.close()
  })

  it('compiles once, before pages hear of it, what is made of the changed file, and tells of its errors', async () => {
    const config = `let count = 0
      export default { plugins: [{ name: 'made', transform(code, id) {
        if (!id.endsWith('/b.js')) return
        this.addWatchFile('/app/a.ts')
        if (readFileSync('/app/a.ts', 'utf8').includes('bad')) throw new Error('made of bad')
        return 'export const b = ' + ++count + '; import.meta.hot?.accept()'
      } }] }`
    await using served = await serve({
      'vite.config.js': `import { readFileSync } from 'node:fs'\n${config}`,
    })
    const page = await openPage(served)
    await served.worker.put([file('a.ts', 'export const a = "bad"')])
    const broken = await served.server.update(2, [{ path: 'a.ts', kind: 'modified' }])
    expect(broken).toMatchObject({ kind: 'none', errors: [{ message: expect.stringContaining('bad') }] })
    await served.worker.put([file('a.ts', 'export const a = "good"')])
    expect(await served.server.update(3, [{ path: 'a.ts', kind: 'modified' }])).toMatchObject({
      kind: 'hmr',
      errors: [],
    })
    expect((await get(served.socket, '/b.js')).text).toContain('b = 2')
    page.close()
  })

  it('names what an update will import while that is compiled, and has it there once it is', async () => {
    await using served = await serve({
      // Open from then on: the page may hear of the module, and say so, before its compilation has come to wait.
      'vite.config.js': `const gate = Promise.withResolvers()
      export default { plugins: [{ name: 'waits', async transform(code, id) {
        if (id.endsWith('/main.js') && code.includes('slow')) await gate.promise
      }, configureServer({ middlewares }) {
        middlewares.use('/go', (_, res) => { gate.resolve(); res.end() })
      } }] }`,
    })
    const page = await openPage(served)
    await served.worker.put([file('main.js', `${APP['main.js']} // slow`)])
    const updated = served.server.update(2, [{ path: 'main.js', kind: 'modified' }])
    await expect
      .poll(() => page.coming, { timeout: 30_000 })
      .toEqual([expect.stringMatching(/^\/main\.js\?t=\d+$/)])
    const [address = ''] = page.coming
    const asked = get(served.socket, address)
    await get(served.socket, '/go')
    expect(await updated).toEqual({ kind: 'hmr', errors: [] })
    expect((await asked).text).toContain('slow')
    const { updates } = (await page.next()) as { updates: { path: string; timestamp: number }[] }
    expect(updates.map(({ path, timestamp }) => `${path}?t=${timestamp}`)).toEqual([address])
    page.close()
  })

  it('refuses what was named and does not compile, without a word to pages but its own', async () => {
    await using served = await serve({ 'a.ts': 'import.meta.hot?.accept(); export const a = 1' })
    const page = await openPage(served)
    await served.worker.put([file('a.ts', 'import.meta.hot?.accept(); export const = 1')])
    await served.server.update(2, [{ path: 'a.ts', kind: 'modified' }])
    await expect.poll(() => page.coming, { timeout: 30_000 }).toHaveLength(1)
    const [address = ''] = page.coming
    expect(await get(served.socket, address)).toEqual({ status: 500, text: '' })
    expect(await page.next()).toEqual({ type: 'update', updates: [] })
    expect(await page.next()).toMatchObject({ type: 'error', err: { id: '/app/a.ts' } })
    expect(await page.next()).toEqual(revisionEvent(2, 'none', 1))
    expect(served.lines.filter(({ text }) => text.includes('Internal server error'))).toEqual([])
    page.close()
  })

  it('shows an edit that is no revision yet, and says its number afterwards', async () => {
    await using served = await serve()
    const page = await openPage(served)
    const [, ahead] = await Promise.all([
      served.worker.put([file('a.ts', 'export const a = "ahead"')]),
      served.server.update(null, [{ path: 'a.ts', kind: 'modified' }]),
    ])
    expect(ahead).toEqual({ kind: 'hmr', errors: [] })
    expect(await page.next()).toMatchObject({ type: 'update', updates: [{ path: '/main.js' }] })
    expect(await served.server.update(2, [])).toEqual({ kind: 'none', errors: [] })
    expect(await page.next()).toEqual(revisionEvent(2, 'none', 1))
    page.close()
  })

  it('does not reload pages for what is no revision yet', async () => {
    await using served = await serve({ 'public/robots.txt': 'a' })
    const page = await openPage(served)
    await served.worker.put([file('public/robots.txt', 'b')])
    const change = { path: 'public/robots.txt', kind: 'modified' as const }
    expect(await served.server.update(null, [change])).toMatchObject({ kind: 'none' })
    expect(await served.server.update(2, [])).toMatchObject({ kind: 'reload' })
    expect(await page.next()).toMatchObject({ type: 'full-reload' })
    expect(await page.next()).toEqual(revisionEvent(2, 'reload'))
    page.close()
  })

  it('hears nothing of files that did not get in', async () => {
    await using served = await serve()
    const page = await openPage(served)
    const large = Buffer.alloc(80 * 1024 * 1024, 'x')
    const put = served.worker.put([file('a.ts', 'export const a = "half"'), file('large.txt', large)])
    const update = served.server.update(2, [{ path: 'a.ts', kind: 'modified' }])
    await expect(put).rejects.toMatchObject({ reason: 'too_many_bytes' })
    expect(await update).toEqual({ kind: 'none', errors: [] })
    expect(await served.server.update(3, [])).toMatchObject({ kind: 'none' })
    expect(await page.next()).toEqual(revisionEvent(3, 'none'))
    page.close()
  })

  it('sends nothing but the revision where no page uses what changed', async () => {
    await using served = await serve()
    const page = await openPage(served)
    await served.worker.put([file('notes.txt', 'x')])
    expect(await served.server.update(2, [{ path: 'notes.txt', kind: 'added' }])).toMatchObject({
      kind: 'none',
    })
    expect(await page.next()).toEqual(revisionEvent(2, 'none'))
    page.close()
  })

  it('reloads pages for a file of the public folder', async () => {
    await using served = await serve({ 'public/robots.txt': 'a' })
    const page = await openPage(served)
    await served.worker.put([file('public/robots.txt', 'b')])
    expect(await served.server.update(2, [{ path: 'public/robots.txt', kind: 'modified' }])).toMatchObject({
      kind: 'reload',
    })
    expect(await page.next()).toMatchObject({ type: 'full-reload' })
    page.close()
  })

  it('shows a syntax error, keeps what else was in the batch, and heals without a reload', async () => {
    await using served = await serve()
    const page = await openPage(served)
    await served.worker.put([file('a.ts', 'export const = 1'), file('b.js', 'export const b = "second b"')])
    const broken = await served.server.update(2, [
      { path: 'a.ts', kind: 'modified' },
      { path: 'b.js', kind: 'modified' },
    ])
    expect(broken).toMatchObject({ kind: 'none', errors: [{ file: '/app/a.ts', line: 1 }] })
    expect(await page.next()).toEqual({ type: 'update', updates: [] })
    expect(await page.next()).toMatchObject({ type: 'error', err: { id: '/app/a.ts' } })
    expect(await page.next()).toEqual(revisionEvent(2, 'none', 1))
    await served.worker.put([file('a.ts', 'export const a = "healed"')])
    expect(await served.server.update(3, [{ path: 'a.ts', kind: 'modified' }])).toMatchObject({
      kind: 'hmr',
      errors: [],
    })
    expect(await page.next()).toMatchObject({ type: 'update' })
    page.close()
  })

  it('finds a file again that was missing when it was imported', async () => {
    await using served = await serve()
    const page = await openPage(served)
    await served.worker.put([file('a.ts', 'export { c as a } from "./c.js"')])
    const missing = await served.server.update(2, [{ path: 'a.ts', kind: 'modified' }])
    expect(missing.errors[0]?.message).toContain('./c.js')
    await served.worker.put([file('c.js', 'export const c = 1')])
    expect(await served.server.update(3, [{ path: 'c.js', kind: 'added' }])).toMatchObject({ errors: [] })
    page.close()
  })

  it('restarts in place for its configuration', async () => {
    await using served = await serve({ 'vite.config.js': 'export default {}' })
    const config = `export default { plugins: [{ name: 'made', transform: (code) =>
      code.replace('__MADE__', '"by the new config"') }] }`
    await served.worker.put([file('vite.config.js', config), file('a.ts', 'export const a = __MADE__')])
    const update = await served.server.update(2, [
      { path: 'vite.config.js', kind: 'modified' },
      { path: 'a.ts', kind: 'modified' },
    ])
    expect(update).toMatchObject({ kind: 'restart', errors: [] })
    expect((await get(served.socket, '/a.ts')).text).toContain('by the new config')
  })

  it('starts anew with a configuration that the project did not have before', async () => {
    await using served = await serve()
    const config = `export default { plugins: [{ name: 'made', transform: (code) => code.replace('"first a"', '"new"') }] }`
    await served.worker.put([file('vite.config.js', config)])
    const update = await served.server.update(2, [{ path: 'vite.config.js', kind: 'added' }])
    expect(update).toMatchObject({ kind: 'restart', errors: [] })
    expect((await get(served.socket, '/a.ts')).text).toContain('"new"')
  })

  it('follows what a plugin writes', async () => {
    const config = `import fs from 'node:fs/promises'
      export default { plugins: [{ name: 'routes', async watchChange(id) {
        if (id.endsWith('route.txt')) await fs.writeFile('/app/b.js', 'export const b = "generated"')
      } }] }`
    await using served = await serve({ 'vite.config.js': config, 'route.txt': '' })
    const page = await openPage(served)
    await served.worker.put([file('route.txt', 'x')])
    await served.server.update(2, [{ path: 'route.txt', kind: 'modified' }])
    expect(await page.next()).toEqual(revisionEvent(2, 'none'))
    expect(await page.next()).toMatchObject({ type: 'update' })
    expect((await get(served.socket, '/b.js')).text).toContain('generated')
    page.close()
  })

  it('has pages reloaded where a plugin never says what an edit means for them', async () => {
    const config = `export default { plugins: [{ name: 'hangs', handleHotUpdate: ({ file }) =>
      file.endsWith('/a.ts') ? new Promise(() => undefined) : undefined }] }`
    await using served = await serve({ 'vite.config.js': config })
    const page = await openPage(served)
    await served.worker.put([file('a.ts', 'export const a = 2')])
    const update = await served.server.update(2, [{ path: 'a.ts', kind: 'modified' }])
    expect(update).toEqual({ kind: 'reload', errors: [] })
    expect(await page.next()).toMatchObject({ type: 'full-reload' })
    expect((await get(served.socket, '/a.ts')).text).toContain('a = 2')
    page.close()
  })

  it('tells what its configuration threw', async () => {
    await expect(serve({ 'vite.config.js': 'throw new Error("not today")' })).rejects.toThrow(/not today/)
  })

  it('tells when it is gone, and leaves no socket', async () => {
    const config = `export default { plugins: [{ name: 'crash', configureServer(server) {
      server.middlewares.use('/crash', () => process.exit(3)) } }] }`
    const served = await serve({ 'vite.config.js': config })
    await get(served.socket, '/crash').catch(() => undefined)
    expect(await served.server.ended).toMatchObject({ kind: 'failed', exitCode: 3 })
    await expect(served.server.update(2, [])).rejects.toThrow(/ended/)
    await served.worker.stop()
    expect(existsSync(served.socket)).toBe(false)
  })

  it('tells how much memory it has, and gives back what work has left behind', async () => {
    const config = `let kept = []
      export default { plugins: [{ name: 'waste', configureServer(server) {
        server.middlewares.use('/waste', (req, res) => {
          kept = Array.from({ length: 1_000_000 }, (_, index) => ({ index, text: 'x' + index }))
          res.end()
        })
        server.middlewares.use('/drop', (req, res) => { kept = []; res.end() })
      } }] }`
    await using served = await serve({ 'vite.config.js': config })
    const before = await served.worker.memoryBytes()
    expect(before).toBeGreaterThan(30 * MIB)
    await get(served.socket, '/waste')
    expect(await served.worker.memoryBytes()).toBeGreaterThan(before + 60 * MIB)
    await get(served.socket, '/drop')
    await expect.poll(() => served.worker.memoryBytes(), { interval: 500 }).toBeLessThan(before + 20 * MIB)
  })
})
