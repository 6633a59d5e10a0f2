import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InputEntry, Worker } from '../../src/model/worker.ts'
import { reachableModules } from './reachable-modules.ts'
import { collected, file, openSandbox, type Ran, run, type TestSandbox } from './sandbox.ts'

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

async function startApp(files: Record<string, string>, root = '', wallMs = 30_000): Promise<Worker> {
  const worker = await sandbox.start({
    binds: [{ source: modules.path, target: '/store/node_modules' }],
    limits: { wallMs },
  })
  const inRoot = (path: string) => (root === '' ? path : `${root}/${path}`)
  const app = {
    'package.json': '{"type":"module"}',
    'index.html': '<script type="module" src="/main.js"></script>',
    'main.js': 'console.log(import.meta.env.MODE, import.meta.env.VITE_NAME)',
    ...files,
  }
  const entries: InputEntry[] = Object.entries(app).map(([path, content]) => file(inRoot(path), content))
  const target = '/store/node_modules/vite'
  await worker.put([...entries, { kind: 'link', path: inRoot('node_modules/vite'), target }])
  return worker
}

const build = (worker: Worker, options = {}, root = ''): Promise<Ran> =>
  run(worker, { kind: 'vite-build', root, options, env: { VITE_NAME: 'given' } })

describe('vite build', () => {
  it('runs with the options, the environment and the config of the project', async () => {
    const config = `export default { build: { outDir: 'made' }, define: { 'import.meta.env.MODE': '"defined"' } }`
    await using worker = await startApp({ 'vite.config.js': config })
    const { outcome, stdout } = await build(worker, { base: '/sub/', sourcemap: true })
    expect(outcome).toEqual({ kind: 'succeeded', outDir: '/app/made' })
    expect(stdout).toContain('built in')
    const output = await collected(worker, '/app/made')
    expect(output.get('index.html')).toContain('src="/sub/assets/')
    const script = [...output].find(([path]) => path.endsWith('.js'))?.[1]
    expect(script).toContain('given')
    expect([...output.keys()].some((path) => path.endsWith('.js.map'))).toBe(true)
  })

  it('runs in a folder below, and tells an output folder beside it', async () => {
    await using worker = await startApp({}, 'apps/web')
    const { outcome } = await build(worker, { outDir: '../../public' }, 'apps/web')
    expect(outcome).toEqual({ kind: 'succeeded', outDir: '/app/public' })
  })

  it('tells where a syntax error is', async () => {
    await using worker = await startApp({ 'main.js': 'const a = 1\nconst = 2\n' })
    const { outcome, stderr } = await build(worker)
    expect(outcome).toMatchObject({ kind: 'failed', exitCode: 1 })
    const [error] = outcome.kind === 'failed' ? outcome.errors : []
    expect(error).toMatchObject({ file: expect.stringMatching(/main\.js$/), line: 2, column: 7 })
    expect(`${error?.message}${error?.frame}`).toContain('const = 2')
    expect(stderr).toContain('error during build')
  })

  it('tells what a plugin threw, without colours', async () => {
    const config = `export default { plugins: [{ name: 'broken', transform(code, id) {
      if (id.endsWith('main.js')) this.error({ message: '\\u001b[31mno\\u001b[0m good', id, loc: { line: 1, column: 4 } })
    } }] }`
    await using worker = await startApp({ 'vite.config.js': config })
    const { outcome } = await build(worker)
    const [error] = outcome.kind === 'failed' ? outcome.errors : []
    expect(error).toMatchObject({ plugin: 'broken', file: '/app/main.js', line: 1, column: 5 })
    expect(error?.message).toContain('no good')
    expect(error?.message).not.toContain('\u001b')
  })

  it('tells that a module or Vite itself is missing', async () => {
    await using worker = await startApp({ 'main.js': `import 'not-there'` })
    const { outcome } = await build(worker)
    expect(JSON.stringify(outcome)).toContain('not-there')
    await using empty = await sandbox.start()
    await empty.put([file('package.json', '{}')])
    expect((await build(empty)).outcome).toMatchObject({ errors: [{ code: 'MODULE_NOT_FOUND' }] })
  })

  it.each([
    ['exits with 0', 'process.exit(0)', { kind: 'failed', exitCode: null }],
    ['exits with 3', 'process.exit(3)', { kind: 'failed', exitCode: 3 }],
    ['kills itself', `process.kill(process.pid, 'SIGKILL')`, { kind: 'failed', signal: 'SIGKILL' }],
    ['waits for what never comes', 'await new Promise(() => {})', { kind: 'failed', exitCode: null }],
    ['throws nothing that is an error', 'throw undefined', { kind: 'failed', exitCode: 1 }],
    ['throws a page of text', `throw 'x'.repeat(1e7)`, { kind: 'failed', exitCode: 1 }],
  ])('fails when the config %s', async (_, config, expected) => {
    await using worker = await startApp({ 'vite.config.js': `${config}\nexport default {}` })
    const { outcome } = await build(worker)
    expect(outcome).toMatchObject(expected)
    expect(outcome.kind === 'failed' && outcome.errors).toHaveLength(1)
  })

  it('is ended when the config never gives back the processor', async () => {
    await using worker = await startApp({ 'vite.config.js': 'for (;;);' }, '', 3_000)
    expect((await build(worker)).outcome).toEqual({ kind: 'timed_out' })
  })

  it('waits for what goes on after it, and for no timer that does not end', async () => {
    const config = `import { writeFileSync } from 'node:fs'
      setInterval(() => {}, 1000)
      export default { plugins: [{ name: 'late', closeBundle() {
        setTimeout(() => writeFileSync('/app/dist/late.txt', 'late'), 50)
      } }] }`
    await using worker = await startApp({ 'vite.config.js': config })
    expect((await build(worker)).outcome.kind).toBe('succeeded')
    expect((await collected(worker, '/app/dist')).get('late.txt')).toBe('late')
  })

  it('cannot be told to have succeeded by words on the wire of its process', async () => {
    const config = `import { writeSync } from 'node:fs'
      writeSync(3, Buffer.from([0, 0, 0, 1, 1, 0x7b]))
      await new Promise(() => setInterval(() => {}, 1000))`
    await using worker = await startApp({ 'vite.config.js': config })
    expect((await build(worker)).outcome).toMatchObject({ kind: 'failed' })
  })

  it('runs more than once in a worker', async () => {
    await using worker = await startApp({})
    expect((await build(worker)).outcome.kind).toBe('succeeded')
    await worker.put([file('main.js', 'console.log("second")')])
    expect((await build(worker)).outcome.kind).toBe('succeeded')
    const output = await collected(worker, '/app/dist')
    expect([...output.values()].join()).toContain('second')
  })
})
