import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Runner } from '../../src/worker/runner.ts'
import { LIMITS, MIB, OWN_GROWTH_BYTES, shell } from './sandbox.ts'

/** A worker whose child half is this program and not ours; as if an attacker had taken it over. */
function hostile(source: string): Runner {
  const prelude = `
    import { Socket } from 'node:net'
    const socket = new Socket({ fd: 3 })
    const frame = (kind, body) => { const head = Buffer.alloc(5); head.writeUInt32BE(body.length); head[4] = kind; return Buffer.concat([head, body]) }
    const send = (message) => socket.write(frame(1, Buffer.from(JSON.stringify(message))))
    const flood = (bytes) => { const more = () => { while (socket.write(bytes)); socket.once('drain', more) }; more() }
    const received = []
    socket.on('error', () => {})
    socket.on('data', (bytes) => { received.push(bytes); onData(Buffer.concat(received).toString('latin1')) })
    let onData = () => {}
    send({ type: 'ready', version: 1 })`
  const chain = spawn(process.execPath, ['--input-type=module', '-e', `${prelude}\n${source}`], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  const runner = new Runner({
    chain,
    channel: chain.stdio[3] as unknown as Socket,
    cgroup: undefined,
    limits: LIMITS,
    settings: { logBytes: LIMITS.logBytes, prepare: 'none', nodeFlags: [] },
    socket: undefined,
    release: () => undefined,
    onTrouble: () => undefined,
  })
  runner.begin(LIMITS.wallMs, undefined)
  return runner
}

/** Runs a task against it, which can only end by a violation, and stops it. */
async function outcomeOf(source: string) {
  const worker = hostile(source)
  await worker.ready.catch(() => undefined)
  const { outcome } = await shell(worker, 'true')
  await worker.stop()
  return outcome
}

const violation = (detail: string) => ({ kind: 'violation', detail: expect.stringContaining(detail) })
/** Once the task is known to the host, its id is 1. */
const whenRun = (source: string) => `onData = (text) => { if (text.includes('"run"')) { ${source} } }`

describe('a child that was taken over is ended when it', () => {
  it.each([
    [
      'announces a frame of 4 GB',
      `socket.write(Buffer.from([255, 255, 255, 255, 1]))`,
      'a frame of 4294967295',
    ],
    ['sends an empty frame', `socket.write(Buffer.from([0, 0, 0, 0, 1]))`, 'a frame of 0'],
    ['sends an unknown kind of frame', `socket.write(Buffer.from([0, 0, 0, 1, 9, 0]))`, 'a frame of kind 9'],
    ['sends no JSON', `socket.write(frame(1, Buffer.from('{')))`, 'not JSON'],
    ['sends deeply nested JSON', `socket.write(frame(1, Buffer.from('['.repeat(1e6))))`, 'not JSON'],
    ['sends an unknown message', `send({ type: 'sudo' })`, 'does not fit'],
    ['answers what was not asked', `send({ type: 'put-done', id: 7 })`, 'an answer to no input'],
    [
      'sends an output that nobody wants',
      `send({ type: 'entry', id: 1, kind: 'link', path: 'a', target: 'b' })`,
      'not asked for',
    ],
    ['sends content that nobody wants', `socket.write(frame(2, Buffer.alloc(10)))`, 'not asked for'],
    [
      'logs for a task that does not run',
      `send({ type: 'log', id: 9, stream: 'stdout', lines: ['x'] })`,
      'no task',
    ],
    ['speaks another version', `send({ type: 'ready', version: 2 })`, 'another version'],
    ['says ready twice', `send({ type: 'ready', version: 1 })`, 'ready twice'],
    ['closes the channel', `socket.destroy(); setInterval(() => {}, 1000)`, 'ended before its task'],
    ['exits', `process.exit(0)`, 'ended before its task'],
    [
      'logs more than it may',
      whenRun(
        `flood(frame(1, Buffer.from(JSON.stringify({ type: 'log', id: 1, stream: 'stdout', lines: Array(100).fill('x'.repeat(1000)) }))))`,
      ),
      'too long a log',
    ],
    [
      'logs empty messages',
      whenRun(`flood(frame(1, Buffer.from('{"type":"log","id":1,"stream":"stdout","lines":[]}')))`),
      'does not fit',
    ],
    [
      'ends its log twice',
      whenRun(`send({ type: 'log-cut', id: 1 }); send({ type: 'log-cut', id: 1 })`),
      'a second end',
    ],
    [
      'says an error of a megabyte',
      whenRun(
        `send({ type: 'task-end', id: 1, exitCode: 1, signal: null, errors: [{ message: 'x'.repeat(1e6) }] })`,
      ),
      'does not fit',
    ],
  ])('%s', async (_, source, detail) => {
    expect(await outcomeOf(source)).toEqual(violation(detail))
  })

  it('floods the channel, without the host growing', async () => {
    const before = process.memoryUsage.rss()
    expect(await outcomeOf(`flood(frame(1, Buffer.from('x'.repeat(1e6))))`)).toEqual(violation('not JSON'))
    expect(process.memoryUsage.rss() - before).toBeLessThan(OWN_GROWTH_BYTES)
  })

  it('dribbles a frame byte by byte, without the host growing', async () => {
    const before = process.memoryUsage.rss()
    const source = `socket.write(Buffer.from([0, 16, 0, 0, 1]))
      let sent = 0
      const dribble = () => { for (let i = 0; i < 16; i++) writeSync(3, ' '); if ((sent += 16) < 300_000) setImmediate(dribble); else process.exit() }
      dribble()`
    expect(await outcomeOf(`import { writeSync } from 'node:fs'\n${source}`)).toEqual(violation('ended'))
    expect(process.memoryUsage.rss() - before).toBeLessThan(OWN_GROWTH_BYTES)
  })

  const entry = (path: string, more = '') =>
    `send({ type: 'entry', id: 1, kind: 'file', path: ${JSON.stringify(path)}, size: 0, executable: false ${more} });`
  it.each([
    ['climbs out of the output', entry('../a')],
    ['climbs in the middle', entry('a/../../b')],
    ['gives an absolute path', entry('/etc/passwd')],
    ['gives an empty path', entry('')],
    ['gives a path with NUL', entry('a\0b')],
    ['gives a path with half a surrogate', entry('a\ud800')],
    ['gives a path of 2 kB', entry('a'.repeat(2000))],
    ['gives a path twice', entry('a') + entry('a')],
    ['gives paths out of order', entry('b') + entry('a')],
    ['gives a path below a file', entry('a') + entry('a-b') + entry('a/b')],
    ['gives a negative size', entry('a', ', size: -1')],
    ['gives more content than it said', `${entry('a', ', size: 3')} socket.write(frame(2, Buffer.alloc(4)))`],
    ['gives another file in the middle of one', entry('a', ', size: 3') + entry('b')],
  ])('%s', async (_, source) => {
    const worker = hostile(`onData = (text) => { if (text.includes('"collect"')) { ${source} } }`)
    await worker.ready
    const reading = (async () => {
      for await (const _ of worker.collect('/app/dist', { files: 10, bytes: MIB }));
    })()
    await expect(reading).rejects.toMatchObject({ name: 'WorkerError', reason: 'violation' })
    await worker.stop()
  })
})
