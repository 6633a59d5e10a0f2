import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {
  InputEntry,
  LogLine,
  OutputLimits,
  Task,
  TaskOutcome,
  Worker,
  WorkerLimits,
  WorkerSpec,
  Workers,
} from '../../src/model/worker.ts'
import { createWorkers, type WorkersOptions } from '../../src/worker/workers.ts'

export const MIB = 1024 * 1024

/** What the memory of this process may grow by although nothing is kept: V8's young generation alone may have 48 MiB. */
export const OWN_GROWTH_BYTES = 64 * MIB

export const LIMITS: WorkerLimits = {
  memoryBytes: 512 * MIB,
  processes: 128,
  wallMs: 100_000,
  appBytes: 64 * MIB,
  tmpBytes: 16 * MIB,
  cpuWeight: 100,
  logBytes: MIB,
}

export interface TestSandbox extends AsyncDisposable {
  folder: string
  workers: Workers
  start(overrides?: Partial<Omit<WorkerSpec, 'limits'>> & { limits?: Partial<WorkerLimits> }): Promise<Worker>
}

/** A folder and the real sandbox of this machine in it. */
export async function openSandbox(options: Partial<WorkersOptions> = {}): Promise<TestSandbox> {
  const folder = await mkdtemp(join(tmpdir(), 'previewd-worker-'))
  // Temporary folders are closed to the users of workers.
  await chmod(folder, 0o711)
  const workers = createWorkers({ dataDir: join(folder, 'data'), minimumTier: 'full', slots: 4, ...options })
  return {
    folder,
    workers,
    start: ({ limits, ...spec } = {}) =>
      workers.start({ binds: [], role: 'project', ...spec, limits: { ...LIMITS, ...limits } }),
    [Symbol.asyncDispose]: async () => {
      await workers.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export function file(path: string, content: string | Buffer): InputEntry {
  const bytes = Buffer.from(content)
  return { kind: 'file', path, size: bytes.length, content: bytes }
}

export interface Ran {
  outcome: TaskOutcome
  lines: LogLine[]
  stdout: string
  stderr: string
}

export async function run(worker: Worker, task: Task): Promise<Ran> {
  const lines: LogLine[] = []
  const outcome = await worker.run(task, (line) => lines.push(line))
  const of = (stream: string) =>
    lines
      .filter((line) => line.stream === stream)
      .map((line) => line.text)
      .join('\n')
  return { outcome, lines, stdout: of('stdout'), stderr: of('stderr') }
}

export function shell(worker: Worker, command: string, env: Record<string, string> = {}): Promise<Ran> {
  return run(worker, { kind: 'shell', command, cwd: '', env })
}

/** Runs an ES module inside. */
export async function script(worker: Worker, source: string): Promise<Ran> {
  await worker.put([file('script.mjs', source)])
  return await run(worker, { kind: 'exec', file: 'node', args: ['script.mjs'], cwd: '', env: {} })
}

/** path -> content, or `-> target` of a link. */
export async function collected(
  worker: Worker,
  directory: string,
  limits: OutputLimits = { files: 1000, bytes: 64 * MIB },
): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const entry of worker.collect(directory, limits)) {
    if (entry.kind === 'link') {
      found.set(entry.path, `-> ${entry.target}`)
      continue
    }
    const parts: Buffer[] = []
    for await (const part of entry.content) parts.push(part)
    found.set(entry.path, Buffer.concat(parts).toString('utf8'))
  }
  return found
}
