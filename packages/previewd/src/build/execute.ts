import { posix } from 'node:path'
import type { ArtifactWriter } from '../model/artifact.ts'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { Environment } from '../model/environment.ts'
import type { Snapshot } from '../model/files.ts'
import type { LogLine, Task, TaskOutcome, Worker, WorkerLimits, Workers } from '../model/worker.ts'
import { WorkerError } from '../model/worker.ts'
import { readCheckLog } from './check-log.ts'
import { LogTail } from './log-tail.ts'
import { fromOutcome, fromWorkerError, outsideOfProject, timedOut } from './outcome.ts'
import { type Taken, takeOutput, takeStatic } from './output.ts'
import { APP, type BuildPlan, planWithBase } from './plan.ts'
import { refine } from './refine.ts'
import { scriptRunners } from './script-runner.ts'
import { sourceEntries } from './source-entries.ts'

const MIB = 1024 * 1024

export interface BuildLimits {
  timeoutMs: number
  memoryBytes: number
  processes: number
  artifactBytes: number
  artifactFiles: number
  logBytes: number
}

export interface BuildOptions {
  snapshot: Snapshot
  plan: BuildPlan
  environment: Environment | null
  workers: Workers
  limits: BuildLimits
  writer: ArtifactWriter
  /** The same revision below another base path, built in the same worker once the build itself is done. */
  variant?: { base: string; writer: ArtifactWriter } | undefined
  onLog: (line: LogLine) => void
  signal: AbortSignal
}

export interface BuildRun {
  state: 'succeeded' | 'failed' | 'timed_out' | 'canceled'
  diagnostics: Diagnostic[]
  /** Of a build that succeeded: the sealed artifact. */
  artifact?: { files: number; bytes: number }
  /**
   * What still runs when the artifact is there: the variant and the type checks. Resolves to what they found when the
   * worker is gone, and never rejects for what project code does; ends at once when the signal aborts.
   */
  rest: Promise<Diagnostic[]>
}

/**
 * Builds a revision in a worker of its own and seals the artifact, or aborts it. Problems of the project are
 * diagnostics; only failures of the server reject. Type checks start after the build, not beside it: on a machine
 * whose cores are taken they would only make the page come later.
 */
export async function runBuild(options: BuildOptions): Promise<BuildRun> {
  const { plan } = options
  try {
    return plan.kind === 'static' ? await copyStatic(options, plan.root) : await runTasks(options, plan)
  } catch (error) {
    await Promise.all([options.writer.abort(), options.variant?.writer.abort()])
    throw error
  }
}

type TaskPlan = BuildPlan & { kind: 'tasks' }

async function copyStatic(options: BuildOptions, root: string): Promise<BuildRun> {
  const { snapshot, writer, signal } = options
  try {
    await takeStatic(snapshot, root, writer, outputLimits(options.limits), signal)
    await options.variant?.writer.abort()
    return { state: 'succeeded', diagnostics: [], artifact: await writer.seal(), rest: Promise.resolve([]) }
  } catch (error) {
    if (signal.aborted) return await unsuccessful(options, 'canceled', [])
    if (error instanceof WorkerError)
      return await unsuccessful(options, 'failed', [fromWorkerError(error, root)])
    throw error
  }
}

async function runTasks(options: BuildOptions, plan: TaskPlan): Promise<BuildRun> {
  const worker = await startWorker(options)
  if (!worker) return unsuccessful(options, 'canceled', [])
  let kept = false
  try {
    const run = await buildIn(worker, options, plan)
    kept = run.state === 'succeeded'
    if (!kept) return run
    const rest = finishRest(worker, options, plan)
    // Whoever takes the result handles this; until then it must not count as unhandled.
    rest.catch(() => undefined)
    return { ...run, rest }
  } finally {
    if (!kept) await worker.stop()
  }
}

/** Undefined where the build was canceled while it waited for a slot. */
async function startWorker({ workers, limits, snapshot, environment, signal }: BuildOptions) {
  try {
    return await workers.start({
      limits: workerLimits(limits, snapshot),
      binds: environment?.binds ?? [],
      role: 'project',
      signal,
    })
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
}

function workerLimits(limits: BuildLimits, snapshot: Snapshot): WorkerLimits {
  let sourceBytes = 0
  for (const { size } of snapshot.files.values()) sourceBytes += size
  return {
    memoryBytes: limits.memoryBytes,
    processes: limits.processes,
    wallMs: limits.timeoutMs,
    appBytes: sourceBytes + limits.artifactBytes + 64 * MIB,
    tmpBytes: 256 * MIB,
    cpuWeight: 100,
    logBytes: limits.logBytes,
  }
}

async function buildIn(worker: Worker, options: BuildOptions, plan: TaskPlan): Promise<BuildRun> {
  const { snapshot, writer } = options
  const ended = await prepare(worker, options, plan)
  if (ended) return ended
  const steps = await runSteps(worker, plan.steps, options, plan)
  if (steps.outcome.kind !== 'succeeded')
    return unsuccessful(options, stateOf(steps.outcome), steps.diagnostics)
  const folders = outputFolders(plan, steps.outcome.outDir, snapshot)
  const outside = folders.find((folder) => folder !== APP && !folder.startsWith(`${APP}/`))
  if (outside !== undefined) return unsuccessful(options, 'failed', [outsideOfProject(outside)])
  try {
    const taken = await takeOutput(worker, folders, writer, outputLimits(options.limits))
    const diagnostics = await refine([...taken.warnings, ...missingPage(taken, folders)], snapshot)
    return { state: 'succeeded', diagnostics, artifact: await writer.seal(), rest: Promise.resolve([]) }
  } catch (error) {
    return brokenOff(error, options, folders.map(inProject).join(' or '))
  }
}

/** Puts source and environment in; a result where the worker ended meanwhile. */
async function prepare(worker: Worker, options: BuildOptions, plan: TaskPlan): Promise<BuildRun | undefined> {
  try {
    const installed = options.environment?.entries ?? []
    await worker.put(sourceEntries(options.snapshot))
    if (installed.length > 0) await worker.put(installed)
    if (usesShell(plan)) await worker.put(scriptRunners(plan.root, installed))
    return undefined
  } catch (error) {
    return brokenOff(error, options, '')
  }
}

/** What it means that the worker did not take or give files to the end; rethrows failures of the server. */
async function brokenOff(error: unknown, options: BuildOptions, outputDir: string): Promise<BuildRun> {
  const { signal, limits } = options
  if (signal.aborted) return unsuccessful(options, 'canceled', [])
  if (!(error instanceof WorkerError)) throw error
  if (error.message.includes('timed_out'))
    return unsuccessful(options, 'timed_out', [timedOut(limits.timeoutMs)])
  return unsuccessful(options, 'failed', [fromWorkerError(error, outputDir)])
}

function usesShell({ steps, checks }: TaskPlan): boolean {
  return [...steps, ...checks].some(({ kind }) => kind === 'shell')
}

async function runSteps(worker: Worker, steps: readonly Task[], options: BuildOptions, plan: TaskPlan) {
  let outcome: TaskOutcome = { kind: 'succeeded' }
  let outDir: string | undefined
  for (const step of steps) {
    const tail = new LogTail()
    outcome = await worker.run(step, (line) => {
      tail.push(line)
      options.onLog(line)
    })
    if (outcome.kind !== 'succeeded') {
      const context = {
        files: options.snapshot.files,
        root: plan.root,
        log: tail.lines,
        timeoutMs: options.limits.timeoutMs,
      }
      return { outcome, diagnostics: fromOutcome(outcome, context) }
    }
    outDir = outcome.outDir ?? outDir
  }
  return { outcome: { ...outcome, ...(outDir !== undefined && { outDir }) }, diagnostics: [] }
}

function stateOf(outcome: TaskOutcome): BuildRun['state'] {
  return outcome.kind === 'timed_out' || outcome.kind === 'canceled' ? outcome.kind : 'failed'
}

async function unsuccessful(
  options: BuildOptions,
  state: BuildRun['state'],
  found: Diagnostic[],
): Promise<BuildRun> {
  await Promise.all([options.writer.abort(), options.variant?.writer.abort()])
  return { state, diagnostics: await refine(found, options.snapshot), rest: Promise.resolve([]) }
}

const OUTPUT_GUESSES = ['dist', 'build', 'out', '.output/public', 'public', '_site']

/** The folders to look at: the one that is set, the one that Vite resolved, else usual ones that the build created. */
function outputFolders(plan: TaskPlan, outDir: string | undefined, snapshot: Snapshot): string[] {
  const known = plan.outputDir ?? outDir
  if (known !== undefined) return [known]
  const sources = [...snapshot.files.keys()]
  const wasThere = (name: string) =>
    sources.some((path) => path.startsWith(`${posix.join(plan.root, name)}/`))
  const created = OUTPUT_GUESSES.filter((name) => !wasThere(name))
  const rewritten = OUTPUT_GUESSES.filter((name) => name !== 'public' && wasThere(name))
  return [...created, ...rewritten].map((name) => posix.join(APP, plan.root, name))
}

function inProject(folder: string): string {
  return posix.relative(APP, folder)
}

function missingPage({ hasIndex }: Taken, folders: string[]): Diagnostic[] {
  if (hasIndex) return []
  const message = `The output has no index.html, so there is no page at "/" (looked in ${inProject(folders[0] ?? '')}).`
  return [{ origin: 'build', severity: 'warning', code: 'INDEX_HTML_MISSING', message }]
}

async function finishRest(worker: Worker, options: BuildOptions, plan: TaskPlan): Promise<Diagnostic[]> {
  try {
    await buildVariant(worker, options, plan)
    return await runChecks(worker, options, plan)
  } finally {
    await worker.stop()
  }
}

/** Runs the steps from Vite's on again; the output folder was taken, and Vite empties it. */
async function buildVariant(worker: Worker, options: BuildOptions, plan: TaskPlan): Promise<void> {
  if (!options.variant) return
  const { base, writer } = options.variant
  const variant = planWithBase(plan, base) as TaskPlan
  const from = variant.steps.findIndex((step) => step.kind === 'vite-build')
  const { outcome } = await runSteps(
    worker,
    variant.steps.slice(from),
    { ...options, onLog: () => undefined },
    plan,
  )
  try {
    if (outcome.kind !== 'succeeded') throw new WorkerError('ended', 'the variant did not build')
    await takeOutput(
      worker,
      outputFolders(plan, outcome.outDir, options.snapshot),
      writer,
      outputLimits(options.limits),
    )
    await writer.seal()
  } catch (error) {
    await writer.abort()
    if (!(error instanceof WorkerError)) throw error
  }
}

async function runChecks(worker: Worker, options: BuildOptions, plan: TaskPlan): Promise<Diagnostic[]> {
  const found: Diagnostic[] = []
  for (const check of plan.checks) {
    const lines: string[] = []
    const outcome = await worker.run(check, (line) => {
      if (lines.length < MAX_CHECK_LINES) lines.push(line.text)
      options.onLog(line)
    })
    if (outcome.kind === 'succeeded' || outcome.kind === 'canceled') continue
    const problems = readCheckLog(lines, { files: options.snapshot.files, root: plan.root })
    found.push(...(problems.length > 0 ? problems : [unfinishedCheck(check, outcome)]))
  }
  return refine(found, options.snapshot)
}

const MAX_CHECK_LINES = 5000

function unfinishedCheck(check: Task, outcome: TaskOutcome): Diagnostic {
  const command = check.kind === 'shell' ? check.command : check.kind
  const message = `The check "${command}" did not come to an end: ${outcome.kind.replaceAll('_', ' ')}.`
  return { origin: 'type', severity: 'warning', code: 'CHECK_FAILED', message }
}

function outputLimits(limits: BuildLimits) {
  return { files: limits.artifactFiles, bytes: limits.artifactBytes }
}
