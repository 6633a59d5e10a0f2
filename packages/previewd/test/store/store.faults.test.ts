import { spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { PROJECT, STEPS, stateAfter } from './fault-script.ts'
import { MIRROR } from './limits.ts'
import { filesOf, makeDataDir, openTestStore, readAll } from './store-directory.ts'

/** Every call that changes state is tried with PREVIEWD_FAULTS=all, which takes minutes; a sample without. */
const EVERY = process.env.PREVIEWD_FAULTS === 'all'
const CHILD = join(import.meta.dirname, 'fault-child.ts')
const OUTCOME = /^(done|refused|wrong) (\d+)(?: (\w+))?$/

interface ChildEnd {
  acknowledged: number
  refused: string[]
  wrong: string[]
  closed: boolean
  killed: boolean
  errors: string
}

/** Runs the script under strace; `inject` is what happens to the nth of those calls of each thread. */
async function runChild(dataDir: string, inject: string): Promise<ChildEnd> {
  const [calls] = inject.split(':')
  const child = spawn(
    'strace',
    [
      '-f',
      '-qqq',
      '-o',
      '/dev/null',
      '-e',
      `trace=${calls}`,
      '-e',
      `inject=${inject}`,
      process.execPath,
      CHILD,
      dataDir,
    ],
    { env: { PATH: process.env.PATH, UV_THREADPOOL_SIZE: '1' }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.on('close', (_, signal) => resolve(signal)),
  )
  const [output, errors, signal] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  const lines = output.split('\n')
  const done = lines.filter((line) => OUTCOME.exec(line)?.[1] === 'done')
  return {
    acknowledged: done.length,
    refused: lines.flatMap((line) => (line.startsWith('refused') ? (OUTCOME.exec(line)?.[3] ?? []) : [])),
    wrong: lines.filter((line) => line.startsWith('wrong')),
    closed: lines.includes('closed'),
    killed: signal === 'SIGKILL',
    errors,
  }
}

/** The store opens, holds exactly what it did before or after the step that was under way, and goes on. */
async function checkAfterCrash(dataDir: string, { acknowledged }: ChildEnd): Promise<void> {
  const store = await openTestStore(dataDir, { mirror: false })
  const found = store.projects.get(PROJECT) && (await readAll(store, PROJECT))
  const expected = [stateAfter(acknowledged), stateAfter(Math.min(acknowledged + 1, STEPS.length))]
  expect(expected.map(sorted)).toContain(sorted(found))
  if (found) {
    const { files } = await store.files.manifest(PROJECT)
    for (const [path, content] of Object.entries(found))
      expect(files.get(path)?.sha256).toBe(hash('sha256', content))
  }
  const next = await store.files.apply(PROJECT, { files: filesOf({ after: 'the crash' }), deleted: [] })
  expect(store.projects.get(PROJECT)?.revision).toBe(next.revision)
  await store.close()
  expect(await readdir(join(dataDir, 'projects'))).toEqual([PROJECT])
  expect(await readdir(join(dataDir, 'projects', PROJECT))).toEqual(['files.pack'])
  expect(await readdir(join(dataDir, 'trash')).catch(() => [])).toEqual([])
}

function sorted(state: object | undefined): string {
  return JSON.stringify(state && Object.entries(state).sort())
}

describe('a store that is killed before a system call', () => {
  const calls: [string, sample: number[]][] = [
    ['pwrite64', [1, 4, 9, 20]],
    ['fdatasync', [2, 5, 9]],
    ['fsync', [1, 4]],
    ['ftruncate', [1]],
    ['rename,renameat,renameat2', [1, 2]],
    ['unlink,unlinkat,rmdir', [1]],
    ['mkdir,mkdirat', [1, 3]],
  ]
  test.for(calls)(
    '(%s) holds what was acknowledged, and nothing half',
    { timeout: 600_000 },
    async ([name, sample]) => {
      for (const nth of EVERY ? upTo(1000) : sample) {
        const dataDir = await makeDataDir()
        const end = await runChild(dataDir, `${name}:signal=KILL:when=${nth}`)
        if (end.closed) break
        expect(end, end.errors).toMatchObject({ killed: true, wrong: [], refused: [] })
        await checkAfterCrash(dataDir, end)
      }
    },
  )
})

test('a store that is killed at any time lays out what it holds when it starts again', {
  timeout: 600_000,
}, async () => {
  for (let round = 0; round < (EVERY ? 100 : 4); round++) {
    const dataDir = await makeDataDir()
    const child = spawn(process.execPath, [CHILD, dataDir, 'mirror'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise((resolve) => child.on('close', resolve))
    const output = text(child.stdout)
    await new Promise((resolve) => setTimeout(resolve, 120 + Math.random() * 250))
    child.kill('SIGKILL')
    await ended
    const acknowledged = (await output).split('\n').filter((line) => line.startsWith('done')).length

    const store = await openTestStore(dataDir, { mirror: MIRROR })
    const found = store.projects.get(PROJECT) && (await readAll(store, PROJECT))
    const expected = [stateAfter(acknowledged), stateAfter(Math.min(acknowledged + 1, STEPS.length))]
    expect(expected.map(sorted)).toContain(sorted(found))
    if (found) await expect.poll(() => laidOut(dataDir), { timeout: 10_000 }).toEqual(sorted(found))
    await store.close()
  }
})

/** The files in the folder, once their list is there. */
async function laidOut(dataDir: string): Promise<string> {
  const folder = join(dataDir, 'projects', PROJECT)
  const list = await readFile(join(folder, '.file-hashes.json'), 'utf8').catch(() => undefined)
  if (list === undefined) return ''
  const all: Record<string, string> = {}
  for (const entry of await readdir(join(folder, 'frontend'), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) all[path.slice(join(folder, 'frontend/').length)] = await readFile(path, 'utf8')
  }
  return sorted(all)
}

describe('a store whose disk fails', () => {
  /** `last`: how many of these calls the script makes, about. */
  const calls: [string, error: string, sample: number[], last: number][] = [
    ['pwrite64', 'ENOSPC', [5, 12], 110],
    ['pwrite64', 'EIO', [7], 110],
    ['fdatasync', 'EIO', [2, 6], 15],
    ['fdatasync', 'ENOSPC', [4], 15],
    ['fsync', 'EIO', [2, 5], 15],
    ['rename,renameat,renameat2', 'EIO', [1, 2], 3],
    ['mkdir,mkdirat', 'ENOSPC', [3], 6],
    ['ftruncate', 'EIO', [1], 4],
    ['openat', 'EMFILE', [], 60],
  ]
  test.for(calls)(
    '(%s: %s) refuses with a code and is as it was',
    { timeout: 600_000 },
    async ([name, error, sample, last]) => {
      for (const nth of EVERY ? upTo(last) : sample) {
        const dataDir = await makeDataDir()
        const end = await runChild(dataDir, `${name}:error=${error}:when=${nth}`)
        expect(end.wrong).toEqual([])
        const code = error === 'ENOSPC' ? 'STORAGE_FULL' : 'STORAGE_FAILED'
        expect(end.refused.filter((refused) => refused !== code)).toEqual([])
        if (end.acknowledged > 0) await checkAfterCrash(dataDir, end)
      }
    },
  )
})

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1)
}
