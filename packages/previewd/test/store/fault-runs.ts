import { spawn, spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { PROJECT, STEPS, stateAfter } from './fault-script.ts'
import { MIRROR } from './limits.ts'
import { filesOf, makeDataDir, openTestStore, readAll } from './store-directory.ts'

const CHILD = join(import.meta.dirname, 'fault-child.ts')
/** Faults are made by strace; without it those tests are left out. */
export const canInjectFaults = spawnSync('strace', ['-V']).status === 0
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

/** Kills the store before the nth of those calls; false where it made fewer of them. */
export async function killBefore(calls: string, nth: number): Promise<boolean> {
  const dataDir = await makeDataDir()
  const end = await runChild(dataDir, `${calls}:signal=KILL:when=${nth}`)
  if (end.closed) return false
  expect(end, end.errors).toMatchObject({ killed: true, wrong: [], refused: [] })
  await checkAfterCrash(dataDir, end)
  return true
}

/** Lets the nth of those calls fail: what was refused has the code for it, and changed nothing. */
export async function failCall(calls: string, error: string, nth: number): Promise<void> {
  const dataDir = await makeDataDir()
  const end = await runChild(dataDir, `${calls}:error=${error}:when=${nth}`)
  expect(end.wrong).toEqual([])
  const code = error === 'ENOSPC' ? 'STORAGE_FULL' : 'STORAGE_FAILED'
  expect(end.refused.filter((refused) => refused !== code)).toEqual([])
  if (end.acknowledged > 0) await checkAfterCrash(dataDir, end)
}

/** Kills a store that also lays its files out, some time into its life. */
export async function killAtAnyTime(): Promise<void> {
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
