import { posix } from 'node:path'
import type { ArtifactWriter } from '../model/artifact.ts'
import type { Diagnostic } from '../model/diagnostic.ts'
import { CPU_WEIGHTS, type Task, type TaskOutcome, type Worker, WorkerError } from '../model/worker.ts'
import { type BuildOptions, type EnvSetBuild, outputLimits } from './build-run.ts'
import { readCheckLog } from './check-log.ts'
import { fromWorkerError } from './outcome.ts'
import { takeOutput } from './output.ts'
import { APP, hasViteTask, planWithBase, planWithEnv, type TaskPlan } from './plan.ts'
import { refine } from './refine.ts'
import { outputFolders, runSteps } from './steps.ts'

const MAX_CHECK_LINES = 5000

/** What is left when the build is published: the variant, the env sets, then the type checks. Stops the worker. */
export async function finishRest(
  worker: Worker,
  options: BuildOptions,
  plan: TaskPlan,
): Promise<Diagnostic[]> {
  try {
    await buildVariant(worker, options, plan)
    const found: Diagnostic[] = []
    for (const set of options.envSets ?? []) found.push(...(await buildEnvSet(worker, options, plan, set)))
    return [...(await refine(found, options.snapshot)), ...(await runChecks(worker, options, plan))]
  } finally {
    await worker.stop()
  }
}

async function buildVariant(worker: Worker, options: BuildOptions, plan: TaskPlan): Promise<void> {
  if (!options.variant) return
  const { base, create } = options.variant
  await buildAgain(worker, { ...options, onLog: () => undefined }, planWithBase(plan, base), create)
}

async function buildEnvSet(
  worker: Worker,
  options: BuildOptions,
  plan: TaskPlan,
  { name, env, mode, create, done }: EnvSetBuild,
): Promise<Diagnostic[]> {
  options.onLog({ stream: 'stdout', text: `Env set ${name}` })
  const problems = await buildAgain(worker, options, planWithEnv(plan, env, mode), create)
  // Of one that was broken off nothing is known.
  if (options.signal.aborted) return []
  done(problems === undefined ? 'succeeded' : 'failed')
  return (problems ?? []).map((problem) => ({
    ...problem,
    message: `With env set ${name}: ${problem.message}`,
  }))
}

/** Runs the steps from Vite's on again, all where there is none; what stood in the way, where it did not succeed. */
async function buildAgain(
  worker: Worker,
  options: BuildOptions,
  plan: TaskPlan,
  create: () => Promise<ArtifactWriter>,
): Promise<Diagnostic[] | undefined> {
  const again = plan.steps.slice(
    Math.max(
      0,
      plan.steps.findIndex((step) => step.kind === 'vite-build'),
    ),
  )
  try {
    // Vite empties its output folder; other tools may leave there what the build before made.
    if (!hasViteTask(plan)) await removeOutput(worker, options, plan)
  } catch (error) {
    return [fromWorkerError(asWorkerError(error), plan.root)]
  }
  const result = await runSteps(worker, again, options, plan.root)
  if (result.kind === 'ended') return result.diagnostics
  const folders = outputFolders(plan, result.outDir, options.snapshot)
  const writer = await create()
  try {
    await takeOutput(worker, folders, writer, outputLimits(options.limits))
    await writer.seal()
    return undefined
  } catch (error) {
    await writer.abort()
    return [fromWorkerError(asWorkerError(error), folders.join(' or '))]
  }
}

/** Folders with files of the project are left as they are. */
async function removeOutput(worker: Worker, { snapshot }: BuildOptions, plan: TaskPlan): Promise<void> {
  const sources = [...snapshot.files.keys()]
  const folders = outputFolders(plan, undefined, snapshot).map((folder) => posix.relative(APP, folder))
  const made = folders.filter(
    (folder) =>
      folder !== '' && !folder.startsWith('..') && !sources.some((path) => path.startsWith(`${folder}/`)),
  )
  await worker.remove(made)
}

function asWorkerError(error: unknown): WorkerError {
  if (error instanceof WorkerError) return error
  throw error
}

async function runChecks(worker: Worker, options: BuildOptions, plan: TaskPlan): Promise<Diagnostic[]> {
  const found: Diagnostic[] = []
  await worker.setCpuWeight(CPU_WEIGHTS.check)
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

function unfinishedCheck(check: Task, outcome: TaskOutcome): Diagnostic {
  const command = check.kind === 'shell' ? check.command : check.kind
  const message = `The check "${command}" did not come to an end: ${outcome.kind.replaceAll('_', ' ')}.`
  return { origin: 'type', severity: 'warning', code: 'CHECK_FAILED', message }
}
