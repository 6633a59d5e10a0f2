import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MIB, OWN_GROWTH_BYTES, openSandbox, run, script, shell, type TestSandbox } from './sandbox.ts'

let sandbox: TestSandbox
beforeAll(async () => {
  sandbox = await openSandbox()
})
afterAll(async () => {
  await sandbox[Symbol.asyncDispose]()
})

describe('a bomb ends in its own worker', () => {
  it('of processes: forks fail, the limit holds and none is left', async () => {
    await using worker = await sandbox.start({ limits: { processes: 64, wallMs: 1_000 } })
    // Of a name of its own: other runs of these tests have one, too.
    const bomb = `bomb${process.pid}`
    const { outcome } = await shell(worker, `${bomb}() { ${bomb} | ${bomb} & }; ${bomb}; sleep 1000`)
    expect(['timed_out', 'failed']).toContain(outcome.kind)
    await worker.stop()
    expect(runningWith(`${bomb}() {`)).toEqual([])
  })

  it('of memory outside the heap', async () => {
    await using worker = await sandbox.start({ limits: { memoryBytes: 256 * MIB } })
    const { outcome } = await script(
      worker,
      'const kept = []; for (;;) kept.push(Buffer.alloc(16 * 1024 * 1024, 1))',
    )
    expect(outcome).toEqual({ kind: 'out_of_memory' })
  })

  it('of memory in the heap', async () => {
    await using worker = await sandbox.start({ limits: { memoryBytes: 256 * MIB } })
    const { outcome } = await script(
      worker,
      'const kept = []; for (;;) kept.push({ a: [kept.length], b: {} })',
    )
    expect(outcome).toEqual({ kind: 'out_of_memory' })
  })

  it('of memory that the whole worker dies of', async () => {
    await using worker = await sandbox.start({ limits: { memoryBytes: 128 * MIB } })
    const hog = 'const kept = []; for (;;) kept.push(Buffer.alloc(1024 * 1024, 1))'
    const outcomes = await Promise.all(
      Array.from({ length: 4 }, () =>
        run(worker, { kind: 'exec', file: 'node', args: ['-e', hog], cwd: '', env: {} }),
      ),
    )
    expect(outcomes.map(({ outcome }) => outcome.kind)).toEqual(Array(4).fill('out_of_memory'))
  })

  it('of disk: every writable folder is full at its size', async () => {
    await using worker = await sandbox.start({ limits: { appBytes: 8 * MIB, tmpBytes: 4 * MIB } })
    const { stdout } = await script(
      worker,
      `import { openSync, writeSync } from 'node:fs'
       for (const folder of ['/app', '/tmp', '/dev/shm']) {
         const fd = openSync(folder + '/bomb', 'w')
         let bytes = 0
         try { for (;;) bytes += writeSync(fd, Buffer.alloc(65536)) } catch (error) { console.log(error.code) }
         console.log(bytes <= 64 * 1024 * 1024)
       }`,
    )
    expect(stdout).toMatch(/^((ENOSPC|EFBIG)\ntrue\n?){3}$/)
  })

  it('of files: their number is bound by the memory of the worker', async () => {
    await using worker = await sandbox.start({ limits: { memoryBytes: 96 * MIB } })
    const { outcome } = await script(
      worker,
      `import { mkdirSync } from 'node:fs'
       for (let index = 0; ; index++) mkdirSync('/tmp/' + index)`,
    )
    expect(['failed', 'out_of_memory']).toContain(outcome.kind)
  })

  it('of the processor, while its neighbour works', async () => {
    await using bomb = await sandbox.start({ limits: { wallMs: 1_500, cpuWeight: 1 } })
    await using neighbour = await sandbox.start()
    const burning = shell(bomb, 'for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; wait')
    const { outcome } = await script(neighbour, 'let sum = 0; for (let i = 0; i < 1e8; i++) sum += i')
    expect(outcome).toEqual({ kind: 'succeeded' })
    expect((await burning).outcome).toEqual({ kind: 'timed_out' })
  })
})

describe('a flood', () => {
  it('of lines is cut at the limit with a note, does not stop the program and costs the host no memory', async () => {
    await using worker = await sandbox.start({ limits: { logBytes: 256 * 1024 } })
    const before = process.memoryUsage.rss()
    const { outcome, lines } = await shell(worker, 'yes 0123456789 | head -c 1000000000; echo end')
    expect(outcome).toEqual({ kind: 'succeeded' })
    const bytes = lines.reduce((sum, { text }) => sum + text.length + 1, 0)
    expect(bytes).toBeLessThan(300 * 1024)
    expect(lines.at(-1)).toEqual({
      stream: 'stderr',
      text: 'The log is longer than 262144 bytes; the rest is dropped.',
    })
    expect(process.memoryUsage.rss() - before).toBeLessThan(OWN_GROWTH_BYTES)
  })

  it('without newlines is cut into lines', async () => {
    await using worker = await sandbox.start({ limits: { logBytes: 64 * 1024 } })
    const { lines } = await shell(worker, 'head -c 10000000 /dev/zero')
    expect(Math.max(...lines.map(({ text }) => Buffer.byteLength(text)))).toBe(8192)
    expect(lines.length).toBeLessThan(12)
  })
})

describe('a worker leaves nothing behind', () => {
  it('when a child of it has made itself a daemon', async () => {
    await using worker = await sandbox.start()
    const marker = `stay-${process.pid}-${Date.now()}`
    await script(
      worker,
      `import { spawn } from 'node:child_process'
       const source = 'process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)'
       const child = spawn('node', ['-e', source, '${marker}'], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
       child.stdout.once('data', () => process.exit())`,
    )
    expect(runningWith(marker)).toHaveLength(1)
    await worker.stop()
    expect(runningWith(marker)).toEqual([])
  })

  it('when its first program is killed from inside', async () => {
    await using worker = await sandbox.start()
    // Other tests that run beside this one sleep, too, each for a time of its own.
    const seconds = 1_000_000 + process.pid
    const { outcome } = await shell(worker, `kill -9 $PPID; sleep ${seconds}`)
    expect(outcome).toEqual({ kind: 'violation', detail: 'The worker ended before its task.' })
    await worker.stop()
    expect(runningWith(`sleep\0${seconds}\0`)).toEqual([])
  })
})

/** Ids of processes on the host whose arguments hold this text. */
function runningWith(text: string): string[] {
  return processes().filter((pid) => readProc(pid, 'cmdline').includes(text) && Number(pid) !== process.pid)
}

function processes(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
}

/** Empty for a process that ended meanwhile. */
function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
