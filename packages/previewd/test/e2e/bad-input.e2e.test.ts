import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ReportedDiagnostic } from '../../src/model/diagnostic.ts'
import type { Client } from './client.ts'
import { type DaemonUnderTest, startDaemonUnderTest } from './daemon-under-test.ts'
import type { Files } from './project-files.ts'
import { configThatRuns, sampleProject } from './sample-project.ts'

let daemon: DaemonUnderTest
let client: Client

beforeAll(async () => {
  daemon = await startDaemonUnderTest({
    PREVIEWD_BUILD_TIMEOUT_MS: '8000',
    PREVIEWD_BUILD_PROCESSES: '128',
    PREVIEWD_BUILD_MEMORY: String(768 * 1024 * 1024),
    PREVIEWD_MAX_LOG: String(256 * 1024),
    PREVIEWD_MAX_ARTIFACT: String(32 * 1024 * 1024),
    PREVIEWD_MAX_FILES: '2000',
    PREVIEWD_MAX_FILE: String(1024 * 1024),
  })
  client = daemon.client
})

afterAll(() => daemon?.[Symbol.asyncDispose]())

/** Builds a good revision, then this change; the good one has to be what viewers still get. */
async function spoil(id: string, files: Files, deleted: string[] = []) {
  const good = await client.push(id, sampleProject(`good ${id}`))
  expect(good.status).toMatchObject({ state: 'ready', published: { revision: good.revision } })
  const before = await client.preview(id)
  const answer = await client.push(id, files, { deleted })
  expect(answer.code).toBe(200)
  const after = await client.preview(id)
  expect({ code: after.code, text: after.text }).toEqual({ code: 200, text: before.text })
  expect(answer.status.published).toEqual(good.status.published)
  return { answer, errors: answer.status.diagnostics.filter((one) => one.severity === 'error') }
}

interface Case {
  title: string
  id: string
  files?: Files
  deleted?: string[]
  state?: 'failed' | 'timed_out'
  expected: Partial<Record<keyof ReportedDiagnostic, unknown>>
}

const CASES: Case[] = [
  {
    title: 'a syntax error: its file, line and frame',
    id: 'syntax-error',
    files: { 'src/main.js': 'const one = 1\nconst two = = 2\n' },
    expected: { file: 'src/main.js', line: 2, frame: expect.stringContaining('two') },
  },
  {
    title: 'an import of a file that is not there',
    id: 'missing-file',
    files: { 'src/main.js': "import './nowhere.js'\n" },
    expected: { file: 'src/main.js', message: expect.stringContaining('nowhere.js') },
  },
  {
    title: 'an import of a package that is not declared',
    id: 'missing-package',
    files: { 'src/main.js': "import 'left-pad'\n" },
    expected: { message: expect.stringContaining('left-pad'), hint: expect.stringContaining('left-pad') },
  },
  {
    title: 'a package.json that is not JSON',
    id: 'invalid-package-json',
    files: { 'package.json': '{ "name": ' },
    expected: { file: 'package.json' },
  },
  {
    title: 'a package that does not exist',
    id: 'nonexistent-package',
    files: {
      'package.json': JSON.stringify({
        type: 'module',
        scripts: { build: 'vite build' },
        devDependencies: { vite: '^8.3.0', 'previewd-no-such-package-on-purpose': '^1.0.0' },
      }),
    },
    expected: { origin: 'install', message: expect.stringContaining('previewd-no-such-package-on-purpose') },
  },
  {
    title: 'a version that does not exist',
    id: 'nonexistent-version',
    files: { 'package.json': JSON.stringify({ type: 'module', devDependencies: { vite: '999.0.0' } }) },
    expected: { origin: 'install', message: expect.stringContaining('vite') },
  },
  {
    title: 'an index.html that is gone',
    id: 'missing-index',
    deleted: ['index.html'],
    expected: { message: expect.stringContaining('index.html') },
  },
  {
    title: 'a configuration that throws',
    id: 'config-throws',
    files: configThatRuns("throw new Error('the config has had enough')"),
    expected: { message: expect.stringContaining('the config has had enough') },
  },
  {
    title: 'a configuration that ends its process',
    id: 'config-exits',
    files: configThatRuns('process.exit(0)'),
    expected: { severity: 'error' },
  },
  {
    title: 'a configuration that never returns',
    id: 'config-hangs',
    files: configThatRuns('for (;;) {}'),
    state: 'timed_out',
    expected: { severity: 'error' },
  },
  {
    title: 'a configuration that waits for ever',
    id: 'config-waits',
    files: configThatRuns('await new Promise((resolve) => setTimeout(resolve, 1e9))'),
    state: 'timed_out',
    expected: { severity: 'error' },
  },
  {
    title: 'a configuration that forks without end',
    id: 'config-forks',
    files: configThatRuns(`
      import { spawn } from 'node:child_process'
      const again = () => { try { spawn('/bin/sh', ['-c', 'while :; do :& done'], { stdio: 'ignore' }).on('error', () => {}) } catch {} }
      setInterval(again, 1)
      await new Promise((resolve) => setTimeout(resolve, 1e9))`),
    expected: { severity: 'error' },
  },
  {
    title: 'a configuration that takes all memory',
    id: 'config-eats',
    files: configThatRuns(`
      const kept = []
      for (;;) kept.push(Buffer.alloc(16 * 1024 * 1024, 1))`),
    expected: { severity: 'error' },
  },
  {
    title: 'a configuration that writes 10 GB',
    id: 'config-fills',
    files: configThatRuns(`
      import { appendFileSync } from 'node:fs'
      for (let count = 0; count < 1280; count++) appendFileSync('/app/large.bin', Buffer.alloc(8 * 1024 * 1024, 1))`),
    expected: { severity: 'error' },
  },
  {
    title: 'an output that is larger than allowed',
    id: 'output-large',
    files: {
      'vite.config.js': `export default { plugins: [{ name: 'large', generateBundle() {
        for (let i = 0; i < 8; i++)
          this.emitFile({ type: 'asset', fileName: 'large-' + i + '.bin', source: Buffer.alloc(8 * 1024 * 1024, i) })
      } }] }`,
    },
    expected: { severity: 'error' },
  },
]

describe('a change that cannot be built leaves the last good build where it is, and says why', () => {
  test.for(CASES)('$title', async ({ id, files = {}, deleted = [], state = 'failed', expected }) => {
    const { answer, errors } = await spoil(id, files, deleted)
    expect(answer.status.state).toBe('error')
    if (!/forks|eats|fills/.test(id)) expect(answer.status.build?.state).toBe(state)
    expect(errors[0]).toMatchObject(expected)
    expect(errors[0]?.code).toMatch(/^[A-Z][A-Z_]+$/)
    expect(errors[0]?.revision).toBe(answer.revision)
  })

  test('the build after a bad one is good again', async () => {
    await spoil('mended', { 'src/main.js': 'const = 1\n' })
    const mended = await client.push('mended', { 'src/main.js': "document.title = 'mended'\n" })
    expect(mended.status).toMatchObject({ state: 'ready', diagnostics: [] })
    expect(mended.status.published?.revision).toBe(mended.revision)
  })
})

describe('a session', () => {
  test('of a project that does not exist, or has nothing to serve, says so', async () => {
    expect(await client.session('nowhere', 'PUT')).toBe(404)
    expect(await client.settings('no-files', {})).toBe(201)
    await client.session('no-files', 'PUT')
    await expect.poll(async () => (await client.status('no-files')).session.state).toBe('off')
    expect((await client.status('no-files')).session.reason).toMatch(/\w/)
  })

  test('of a project that cannot be installed is in error, and starts with the files that mend it', async () => {
    const broken = sampleProject('', {
      'package.json': JSON.stringify({ type: 'module', devDependencies: { vite: '999.0.0' } }),
    })
    const answer = await client.push('live-no-install', broken, { wait: 'live' })
    expect(answer).toMatchObject({ code: 200, status: { session: { state: 'error' } } })
    expect(answer.status.session.reason).toContain('vite')
    const mended = await client.push('live-no-install', sampleProject('mended'), { wait: 'live' })
    expect(mended.status.session).toMatchObject({ state: 'live', revision: 2 })
    await client.session('live-no-install', 'DELETE')
  })

  test('of a project that does not build is live all the same, and heals with the next edit', async () => {
    const broken = sampleProject('', { 'src/main.js': "import './nowhere.js'\n" })
    const answer = await client.push('live-no-build', broken, { wait: 'live' })
    expect(answer).toMatchObject({ code: 200, status: { session: { state: 'live' } } })
    expect((await client.preview('live-no-build', '/src/main.js')).code).toBe(500)
    await client.push('live-no-build', { 'src/nowhere.js': '' }, { wait: 'live' })
    expect((await client.preview('live-no-build', '/src/main.js')).text).toContain('/src/nowhere.js')
    await client.session('live-no-build', 'DELETE')
  })
})

describe('a hostile configuration', () => {
  test('that writes without end has its log cut, and the server stays small', async () => {
    const before = process.memoryUsage().rss
    const { answer } = await spoil(
      'config-floods',
      configThatRuns("for (;;) process.stdout.write('x'.repeat(65536) + '\\n')"),
    )
    expect(answer.status.state).toBe('error')
    expect((await client.log('config-floods')).length).toBeLessThan(512 * 1024)
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024)
  })

  test('finds no secret of the host to read', async () => {
    const canary = 'canary-4f1c9a7e'
    process.env.PREVIEWD_E2E_CANARY = canary
    const database = `${daemon.dataDir}/previewd.db`
    const answer = await client.push('config-reads', {
      ...sampleProject('reads'),
      'vite.config.js': `import { readdirSync, readFileSync } from 'node:fs'
        const read = (file) => { try { return readFileSync(file, 'latin1') } catch (error) { return error.code } }
        const processes = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))
        console.log('seen', ['/etc/shadow', '/root/.ssh/id_rsa', '${database}'].map(read).join(' '))
        console.log('environments', processes.length, JSON.stringify(processes.map((pid) => read('/proc/' + pid + '/environ'))))
        console.log('commands', JSON.stringify(processes.map((pid) => read('/proc/' + pid + '/cmdline'))))
        export default {}`,
    })
    delete process.env.PREVIEWD_E2E_CANARY
    expect(answer.status.state).toBe('ready')
    const log = await client.log('config-reads')
    expect(log).toMatch(/seen E\w+ E\w+ E\w+\n/)
    expect(log).toMatch(/environments [1-9]/)
    expect(log).not.toContain(canary)
    expect(log).not.toContain(daemon.dataDir)
  })

  test('reaches no network: neither this machine nor another', async () => {
    let connections = 0
    const listener = createServer((socket) => {
      connections++
      socket.destroy()
    }).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const { port } = listener.address() as AddressInfo
    const answer = await client.push('config-connects', {
      ...sampleProject('connects'),
      'vite.config.js': `import { connect } from 'node:net'
        const attempt = (port, host) => new Promise((resolve) => {
          const socket = connect({ port, host, timeout: 2000 })
          socket.on('connect', () => resolve('connected'))
          socket.on('timeout', () => resolve('timeout'))
          socket.on('error', (error) => resolve(error.code))
        })
        console.log('seen', await attempt(${port}, '127.0.0.1'), await attempt(80, '169.254.169.254'), await attempt(443, '::1'))
        export default {}`,
    })
    listener.close()
    expect(answer.status.state).toBe('ready')
    expect(connections).toBe(0)
    expect(await client.log('config-connects')).toMatch(/seen E\w+ E\w+ E\w+/)
  })

  test('leaves no file outside the sandbox', async () => {
    const file = `/tmp/previewd-escaped-${process.pid}`
    await client.push('config-writes', {
      ...sampleProject('writes'),
      ...configThatRuns(`import { writeFileSync } from 'node:fs'
        for (const path of ['${file}', '${daemon.dataDir}/escaped']) try { writeFileSync(path, 'x') } catch {}`),
    })
    expect([file, `${daemon.dataDir}/escaped`].filter((path) => existsSync(path))).toEqual([])
  })
})

describe('a batch that is refused changes nothing', () => {
  const REFUSED: { title: string; files: Files; code: string }[] = [
    { title: 'a path that climbs', files: { '../escape.js': '' }, code: 'INVALID_PATH' },
    { title: 'an absolute path', files: { '/etc/passwd': '' }, code: 'INVALID_PATH' },
    { title: 'a backslash', files: { 'src\\main.js': '' }, code: 'INVALID_PATH' },
    { title: 'a NUL', files: { 'src/a\0.js': '' }, code: 'INVALID_PATH' },
    { title: 'node_modules', files: { 'node_modules/vite/index.js': '' }, code: 'INVALID_PATH' },
    {
      title: 'a file over the limit',
      files: { 'large.txt': 'x'.repeat(1024 * 1024 + 1) },
      code: 'FILE_TOO_LARGE',
    },
    {
      title: '100,000 files',
      files: Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`f/${index}.txt`, ''])),
      code: 'TOO_MANY_FILES',
    },
  ]

  test.for(REFUSED)('$title', async ({ files, code }) => {
    const good = await client.push('refused', sampleProject('refused'))
    const answer = await client.push('refused', { 'src/main.js': '// not applied\n', ...files })
    expect(answer.problem?.code).toBe(code)
    const status = await client.status('refused')
    expect(status).toMatchObject({ revision: good.revision, state: 'ready' })
  })

  test('a body that is not JSON', async () => {
    const response = await fetch(`${client.url}/v1/projects/refused/changes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"files": {',
    })
    expect(response.status).toBe(400)
    expect(response.headers.get('content-type')).toContain('application/problem+json')
    expect(await response.json()).toMatchObject({ code: 'INVALID_JSON' })
  })

  test('of two clients that start from the same revision, one is told that it is late', async () => {
    const { revision } = await client.push('two-clients', sampleProject('two clients'))
    const writes = ['left', 'right'].map((name) =>
      client.push('two-clients', { [`src/${name}.js`]: '' }, { baseRevision: revision, wait: 'applied' }),
    )
    const codes = (await Promise.all(writes)).map((answer) => answer.code).sort()
    expect(codes).toEqual([200, 409])
    expect((await client.status('two-clients')).revision).toBe(revision + 1)
  })
})
