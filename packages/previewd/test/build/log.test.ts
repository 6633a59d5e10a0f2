import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { BuildLogs } from '../../src/build/log.ts'

let dataDir: string
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'previewd-log-'))
  await mkdir(join(dataDir, 'projects/demo'), { recursive: true })
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
})

async function texts(lines: AsyncIterable<{ text: string }>): Promise<string[]> {
  const all: string[] = []
  for await (const { text } of lines) all.push(text)
  return all
}

const line = (text: string) => ({ stream: 'stdout' as const, text })

it('gives a follower the lines so far and those that come, until the build ends', async () => {
  const logs = new BuildLogs({ dataDir, logBytes: 10_000 })
  const log = await logs.open('demo', 'b1')
  log.append(line('one'))
  const following = texts(logs.read('demo', 'b1', { follow: true }))
  log.append(line('two'))
  await logs.close('demo', 'b1')
  expect(await following).toEqual(['one', 'two'])
})

it('gives the lines so far without follow', async () => {
  const logs = new BuildLogs({ dataDir, logBytes: 10_000 })
  const log = await logs.open('demo', 'b1')
  log.append(line('one'))
  expect(await texts(logs.read('demo', 'b1', {}))).toEqual(['one'])
  await logs.close('demo', 'b1')
})

it('lets a follower go when its signal aborts', async () => {
  const logs = new BuildLogs({ dataDir, logBytes: 10_000 })
  await logs.open('demo', 'b1')
  const gone = new AbortController()
  const following = texts(logs.read('demo', 'b1', { follow: true, signal: gone.signal }))
  gone.abort()
  expect(await following).toEqual([])
  await logs.close('demo', 'b1')
})

it('reads the log of an earlier build from its file, also after a restart', async () => {
  const logs = new BuildLogs({ dataDir, logBytes: 10_000 })
  const log = await logs.open('demo', 'b1')
  log.append({ stream: 'stderr', text: 'wrong' })
  await logs.close('demo', 'b1')
  const lines = new BuildLogs({ dataDir, logBytes: 10_000 }).read('demo', 'b1', {})
  for await (const read of lines) {
    expect(read).toEqual({ stream: 'stderr', text: 'wrong', at: expect.stringMatching(/^\d{4}-.*Z$/) })
  }
  expect(await texts(logs.read('demo', 'unknown', {}))).toEqual([])
})

it('keeps the newest lines within its bound, in memory and in the file', async () => {
  const logs = new BuildLogs({ dataDir, logBytes: 10_000 })
  const log = await logs.open('demo', 'b1')
  for (let number = 0; number < 5_000; number++) log.append(line(`${number} ${'x'.repeat(20)}`))
  expect(log.lines.length).toBeLessThan(500)
  await logs.close('demo', 'b1')
  const kept = await texts(logs.read('demo', 'b1', {}))
  expect(kept.at(-1)).toMatch(/^4999 /)
  expect(kept.length).toBeLessThan(500)
})

it('strips escape sequences and control characters from hostile lines', async () => {
  const logs = new BuildLogs({ dataDir, logBytes: 10_000 })
  const log = await logs.open('demo', 'b1')
  log.append(line('\u001b[2J\u001b]0;owned\u0007a\tb\u0000\rc\u202e'))
  await logs.close('demo', 'b1')
  expect(await readFile(join(dataDir, 'projects/demo/build.log'), 'utf8')).toBe('a\tbc\n')
})

it('keeps the state of the newest build for shell tools', async () => {
  const logs = new BuildLogs({ dataDir, logBytes: 10_000 })
  await logs.setStatus('demo', 'ready')
  expect(await readFile(join(dataDir, 'projects/demo/.build-status'), 'utf8')).toBe('ready\n')
})
