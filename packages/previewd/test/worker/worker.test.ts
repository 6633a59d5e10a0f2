import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WorkerError } from '../../src/model/worker.ts'
import { collected, file, MIB, openSandbox, run, script, shell, type TestSandbox } from './sandbox.ts'

let sandbox: TestSandbox
beforeAll(async () => {
  sandbox = await openSandbox()
})
afterAll(async () => {
  await sandbox[Symbol.asyncDispose]()
})

describe('a worker', () => {
  it('runs a command on the files that were put and gives back what it made', async () => {
    await using worker = await sandbox.start()
    await worker.put([
      file('src/a.txt', 'one'),
      { kind: 'link', path: 'b', target: 'src/a.txt' },
      {
        ...file('run.sh', '#!/bin/sh\nmkdir -p out/sub; cat b > out/sub/c; ln -s sub/c out/link'),
        executable: true,
      },
    ] as Parameters<typeof worker.put>[0])
    const { outcome } = await shell(worker, './run.sh')
    expect(outcome).toEqual({ kind: 'succeeded' })
    expect([...(await collected(worker, '/app/out'))]).toEqual([
      ['link', '-> sub/c'],
      ['sub/c', 'one'],
    ])
  })

  it("runs project code with another Node than the server's own where it is given one", async () => {
    const node = join(sandbox.folder, 'other-node')
    await writeFile(node, '#!/bin/sh\necho "other $1"\n', { mode: 0o755 })
    await using worker = await sandbox.start({ node })
    expect(await shell(worker, 'node a; nodejs b; /usr/bin/node c')).toMatchObject({
      outcome: { kind: 'succeeded' },
      stdout: 'other a\nother b\nother c',
    })
    expect((await shell(worker, 'echo x > /usr/bin/node')).outcome).toMatchObject({ kind: 'failed' })
    await using own = await sandbox.start()
    expect((await shell(own, 'node --version')).stdout).toBe(process.version)
  })

  it('gives tasks an environment of their own and nothing else', async () => {
    await using worker = await sandbox.start()
    await worker.put([file('sub/package.json', '{}')])
    const task = { kind: 'shell', command: 'unset PWD; env', cwd: 'sub', env: { VITE_KEY: 'v' } } as const
    const { stdout } = await run(worker, task)
    expect(stdout.split('\n').sort()).toEqual([
      'HOME=/tmp/home',
      'LANG=C.UTF-8',
      'NODE_OPTIONS=--max-old-space-size=384',
      'PATH=/app/sub/node_modules/.bin:/app/node_modules/.bin:/usr/bin',
      'VITE_KEY=v',
    ])
  })

  it('replaces files, links and folders that are in the way of an entry, and writes through none', async () => {
    await using worker = await sandbox.start()
    await worker.put([
      file('target', 'kept'),
      { kind: 'link', path: 'a', target: 'target' },
      file('d/e', 'x'),
    ])
    await worker.put([file('a', 'new'), file('d', 'now a file')])
    const found = await collected(worker, '/app')
    expect([found.get('a'), found.get('target'), found.get('d')]).toEqual(['new', 'kept', 'now a file'])
  })

  it('removes files, folders and links, and misses nothing that is not there', async () => {
    await using worker = await sandbox.start()
    await worker.put([
      file('kept', 'kept'),
      file('folder/a', ''),
      file('file', ''),
      { kind: 'link', path: 'link', target: 'kept' },
    ])
    const absent = Array.from({ length: 1200 }, (_, index) => `absent/${index}`)
    await worker.remove(['folder', 'file', 'link', ...absent])
    expect([...(await collected(worker, '/app'))]).toEqual([['kept', 'kept']])
  })

  it('takes contents that stream, larger than a frame and empty ones', async () => {
    await using worker = await sandbox.start()
    const part = Buffer.alloc(300_000, 'x')
    const streamed = async function* () {
      for (let index = 0; index < 10; index++) yield part
    }
    await worker.put([
      file('empty', ''),
      { kind: 'file', path: 'streamed', size: 3_000_000, content: streamed() },
      file('whole', Buffer.alloc(5 * MIB, 'y')),
      file('last', 'z'),
    ])
    const { stdout } = await shell(
      worker,
      'stat -c "%s %n" empty streamed whole last; sort -u streamed | wc -c',
    )
    expect(stdout.split('\n')).toEqual(['0 empty', '3000000 streamed', '5242880 whole', '1 last', '3000001'])
  })

  it('rejects a content that has not the announced size, and ends', async () => {
    await using worker = await sandbox.start()
    const short = { kind: 'file', path: 'a', size: 10, content: Buffer.from('short') } as const
    await expect(worker.put([short])).rejects.toThrow('has not the size announced')
    expect((await shell(worker, 'true')).outcome.kind).toBe('violation')
  })

  it('says that the files do not fit when the space is full', async () => {
    await using worker = await sandbox.start({ limits: { appBytes: MIB } })
    const put = worker.put([file('big', Buffer.alloc(2 * MIB)), file('after', 'x')])
    await expect(put).rejects.toMatchObject({ reason: 'too_many_bytes' })
    await shell(worker, 'rm big')
    await worker.put([file('small', 'fits')])
    expect(await collected(worker, '/app')).toEqual(new Map([['small', 'fits']]))
  })

  it('tells exit codes, signals and programs that are not there', async () => {
    await using worker = await sandbox.start()
    expect((await shell(worker, 'exit 3')).outcome).toEqual({ kind: 'failed', exitCode: 3, errors: [] })
    expect((await shell(worker, 'kill -TERM $$')).outcome).toMatchObject({
      exitCode: null,
      signal: 'SIGTERM',
    })
    const missing = await run(worker, { kind: 'exec', file: 'nothing', args: [], cwd: '', env: {} })
    expect(missing.outcome).toMatchObject({ kind: 'failed', exitCode: 127 })
  })

  it('runs tasks side by side and keeps their lines apart', async () => {
    await using worker = await sandbox.start()
    const [a, b] = await Promise.all([
      shell(worker, 'echo a; until [ -e b ]; do :; done; echo a2'),
      shell(worker, 'echo b; touch b'),
    ])
    expect([a.stdout, b.stdout]).toEqual(['a\na2', 'b'])
  })

  it('cuts long lines at whole characters, and keeps a last line without a newline', async () => {
    await using worker = await sandbox.start()
    const { lines } = await script(worker, `process.stdout.write('€'.repeat(5000) + '\\n\\nend')`)
    expect(lines.map(({ text }) => text.length)).toEqual([2730, 2270, 0, 3])
    expect(lines.every(({ text }) => !text.includes('\ufffd'))).toBe(true)
  })

  it('ends a task with its program, though a child of it keeps the output open', async () => {
    await using worker = await sandbox.start()
    const { outcome, stdout } = await shell(worker, 'sleep 1000 & echo done')
    expect([outcome.kind, stdout]).toEqual(['succeeded', 'done'])
  })

  it('is canceled by its signal, and says so to all that is under way', async () => {
    const controller = new AbortController()
    await using worker = await sandbox.start({ signal: controller.signal })
    const running = worker.run({ kind: 'shell', command: 'echo up; sleep 1000', cwd: '', env: {} }, () =>
      controller.abort(),
    )
    expect(await running).toEqual({ kind: 'canceled' })
    expect(await shell(worker, 'true')).toMatchObject({ outcome: { kind: 'canceled' } })
    await expect(worker.put([file('a', 'b')])).rejects.toThrow(WorkerError)
    await expect(collected(worker, '/app')).rejects.toMatchObject({ reason: 'ended' })
  })

  it('is ended when its time is over', async () => {
    await using worker = await sandbox.start({ limits: { wallMs: 300 } })
    expect((await shell(worker, 'sleep 1000')).outcome).toEqual({ kind: 'timed_out' })
  })

  it('finds what packages do not declare in the dependencies of the project', async () => {
    const store = join(sandbox.folder, 'data', 'store')
    await mkdir(join(store, 'node_modules/inner'), { recursive: true })
    await writeFile(join(store, 'node_modules/inner/index.js'), `module.exports = require('outer')`)
    await using worker = await sandbox.start({ binds: [{ source: store, target: '/store' }] })
    await worker.put([
      { kind: 'link', path: 'node_modules/inner', target: '/store/node_modules/inner' },
      file('node_modules/outer/index.js', `module.exports = 'found'`),
    ])
    const { stdout } = await script(worker, `import inner from 'inner'; console.log(inner)`)
    expect(stdout).toBe('found')
  })

  it('refuses mounts over its own folders, and writable ones for projects', async () => {
    const bind = (target: string, writable = false) =>
      sandbox.start({ binds: [{ source: sandbox.folder, target, writable }] })
    for (const target of ['/', '/usr', '/etc/x', '/proc', 'relative', '/store/../usr']) {
      await expect(bind(target)).rejects.toThrow('nothing can be bound')
    }
    await expect(bind('/store', true)).rejects.toThrow('only an installer')
  })
})

describe('an installer', () => {
  it('writes to its store, which a project then cannot', async () => {
    const store = join(sandbox.folder, 'data', 'installer-store')
    await mkdir(store)
    const bind = { source: store, target: '/store' }
    {
      await using installer = await sandbox.start({ role: 'installer', binds: [{ ...bind, writable: true }] })
      const { outcome } = await shell(installer, 'echo clean > /store/package && chmod 666 /store/package')
      expect(outcome.kind).toBe('succeeded')
    }
    await using worker = await sandbox.start({ binds: [bind] })
    const { stderr, stdout } = await shell(
      worker,
      'echo poison > /store/package; touch /store/new; cat /store/package',
    )
    expect(stderr).toContain('Read-only file system')
    expect(stdout).toBe('clean')
  })
})

describe('a bridge', () => {
  it('reaches one socket on the host by HTTP, half-closed connections included', async () => {
    const server = createServer((request, response) => {
      request.pipe(response)
    })
    const socket = join(sandbox.folder, 'bridge.sock')
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    try {
      await using worker = await sandbox.start({ bridge: { socket, port: 4873 } })
      const { stdout } = await script(
        worker,
        `const body = 'x'.repeat(3_000_000)
         const answer = await fetch('http://127.0.0.1:4873/a', { method: 'POST', body })
         console.log(answer.status, (await answer.text()) === body)`,
      )
      expect(stdout).toBe('200 true')
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
  })
})

describe('slots', () => {
  it('are waited for in order and given back when a worker is gone', async () => {
    await using small = await openSandbox({ slots: 1 })
    const first = await small.start()
    const order: string[] = []
    const second = small.start().then(async (worker) => {
      order.push('second')
      await worker.stop()
    })
    const controller = new AbortController()
    const third = small.start({ signal: controller.signal })
    controller.abort(new Error('no more'))
    await expect(third).rejects.toThrow('no more')
    order.push('first')
    await first.stop()
    await second
    expect(order).toEqual(['first', 'second'])
  })

  it('are refused when the workers are closed, and running workers end', async () => {
    await using small = await openSandbox({ slots: 1 })
    const worker = await small.start()
    const running = shell(worker, 'sleep 1000')
    const waiting = expect(small.start()).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    await small.workers.close()
    await waiting
    await worker.setCpuWeight(1)
    expect((await running).outcome.kind).toBe('canceled')
  })
})
