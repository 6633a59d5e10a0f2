import { posix } from 'node:path'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { Snapshot } from '../model/files.ts'
import { sourceEntries } from '../model/source-entries.ts'
import {
  CPU_WEIGHTS,
  type TaskOutcome,
  type Worker,
  WorkerError,
  type WorkerLimits,
} from '../model/worker.ts'
import { type BuildLimits, type BuildOptions, type BuildRun, outputLimits } from './build-run.ts'
import { fromWorkerError, outsideOfProject, timedOut } from './outcome.ts'
import { type Taken, takeFolder, takeOutput, takeStatic } from './output.ts'
import { APP, type TaskPlan } from './plan.ts'
import { refine } from './refine.ts'
import { finishRest } from './rest.ts'
import { scriptRunners } from './script-runner.ts'
import { takeServer } from './server-output.ts'
import { explainMissingIndex, type ServerFramework, serverRendered } from './server-rendered.ts'
import { outputFolders, runSteps } from './steps.ts'

const MIB = 1024 * 1024

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
    await options.writer.abort()
    throw error
  }
}

async function copyStatic(options: BuildOptions, root: string): Promise<BuildRun> {
  const { snapshot, writer, signal } = options
  try {
    await takeStatic(snapshot, root, writer, outputLimits(options.limits), signal)
    return { state: 'succeeded', diagnostics: [], artifact: await writer.seal(), rest: Promise.resolve([]) }
  } catch (error) {
    if (signal.aborted) return await unsuccessful(options, 'canceled', [])
    if (error instanceof WorkerError)
      return await unsuccessful(options, 'failed', [fromWorkerError(error, root)])
    throw error
  }
}

async function runTasks(options: BuildOptions, plan: TaskPlan): Promise<BuildRun> {
  const worker = await startWorker(options, plan.root)
  if (!worker) return unsuccessful(options, 'canceled', [])
  let kept = false
  try {
    const run = await buildIn(worker, options, plan)
    kept = run.state === 'succeeded'
    if (!kept) return run
    // A server is built for the origin of its project, and for no other base.
    const rest = finishRest(
      worker,
      run.server ? { ...options, variant: undefined, envSets: [] } : options,
      plan,
    )
    // Whoever takes the result handles this; until then it must not count as unhandled.
    rest.catch(() => undefined)
    return { ...run, rest }
  } finally {
    if (!kept) await worker.stop()
  }
}

/** Undefined where the build was canceled while it waited for a slot. */
async function startWorker(
  { workers, limits, snapshot, environment, node, signal }: BuildOptions,
  root: string,
) {
  try {
    return await workers.start({
      limits: workerLimits(limits, snapshot),
      binds: environment?.binds ?? [],
      ...(node && { node: node.path }),
      role: 'project',
      ahead: { key: environment?.key ?? '', entries: environment?.entries ?? [], root },
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
    cpuWeight: CPU_WEIGHTS.build,
    logBytes: limits.logBytes,
  }
}

async function buildIn(worker: Worker, options: BuildOptions, plan: TaskPlan): Promise<BuildRun> {
  const { snapshot } = options
  const ended = await prepare(worker, options, plan)
  if (ended) return ended
  const steps = await runSteps(worker, plan.steps, options, plan.root)
  if (steps.kind === 'ended') {
    const found = explainMissingIndex(steps.diagnostics, plan.serverFramework)
    return unsuccessful(options, stateOf(steps.outcome), found)
  }
  const folders = outputFolders(plan, steps.outDir, snapshot)
  const outside = folders.find((folder) => folder !== APP && !folder.startsWith(`${APP}/`))
  if (outside !== undefined) return unsuccessful(options, 'failed', [outsideOfProject(outside)])
  try {
    const served = await takeServed(worker, options, plan, false)
    return served ?? (await takePages(worker, options, plan, folders))
  } catch (error) {
    return brokenOff(error, options, folders.map(inProject).join(' or '))
  }
}

/** Takes the server that the build left and the files that go with it; undefined where there is none. */
async function takeServed(
  worker: Worker,
  options: BuildOptions,
  plan: TaskPlan,
  isLast: boolean,
): Promise<BuildRun | undefined> {
  const { snapshot, writer, createServer } = options
  const limits = outputLimits(options.limits)
  for (const recipe of plan.serverFramework?.servers ?? []) {
    if ((recipe.isLast ?? false) !== isLast) continue
    if (!(await takeServer(worker, recipe, createServer, { plan, snapshot, limits }))) continue
    const warnings: Diagnostic[] = []
    for (const site of recipe.site) {
      const folder = posix.join(APP, plan.root, site)
      warnings.push(...(await takeFolder(worker, folder, writer, limits)).warnings)
    }
    const diagnostics = await refine(warnings, snapshot)
    const { framework } = recipe
    const artifact = await writer.seal()
    return { state: 'succeeded', diagnostics, artifact, server: { framework }, rest: Promise.resolve([]) }
  }
  return undefined
}

/** Takes the output as files alone. */
async function takePages(
  worker: Worker,
  options: BuildOptions,
  plan: TaskPlan,
  folders: string[],
): Promise<BuildRun> {
  const { snapshot, writer, limits } = options
  const { serverFramework } = plan
  try {
    const taken = await takeOutput(worker, folders, writer, outputLimits(limits))
    if (serverFramework && !taken.hasIndex) return withoutPages(options, serverFramework)
    const diagnostics = await refine([...taken.warnings, ...missingPage(taken, folders)], snapshot)
    return { state: 'succeeded', diagnostics, artifact: await writer.seal(), rest: Promise.resolve([]) }
  } catch (error) {
    const isMissing = error instanceof WorkerError && error.reason === 'missing_output'
    if (!serverFramework || !isMissing) throw error
    return (await takeServed(worker, options, plan, true)) ?? withoutPages(options, serverFramework)
  }
}

/** Puts source and environment in; a result where the worker ended meanwhile. */
async function prepare(worker: Worker, options: BuildOptions, plan: TaskPlan): Promise<BuildRun | undefined> {
  try {
    const installed = options.environment?.entries ?? []
    await worker.put(sourceEntries(options.snapshot))
    if (installed.length > 0 && !worker.waited) await worker.put(installed)
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

function withoutPages(options: BuildOptions, framework: ServerFramework): Promise<BuildRun> {
  return unsuccessful(options, 'failed', [serverRendered(framework)])
}

function usesShell({ steps, checks }: TaskPlan): boolean {
  return [...steps, ...checks].some(({ kind }) => kind === 'shell')
}

function stateOf(outcome: TaskOutcome): BuildRun['state'] {
  return outcome.kind === 'timed_out' || outcome.kind === 'canceled' ? outcome.kind : 'failed'
}

async function unsuccessful(
  options: BuildOptions,
  state: BuildRun['state'],
  found: Diagnostic[],
): Promise<BuildRun> {
  await options.writer.abort()
  return { state, diagnostics: await refine(found, options.snapshot), rest: Promise.resolve([]) }
}

function inProject(folder: string): string {
  return posix.relative(APP, folder)
}

function missingPage({ hasIndex }: Taken, folders: string[]): Diagnostic[] {
  if (hasIndex) return []
  const message = `The output has no index.html, so there is no page at "/" (looked in ${inProject(folders[0] ?? '')}).`
  return [{ origin: 'build', severity: 'warning', code: 'INDEX_HTML_MISSING', message }]
}
