import type { Diagnostic } from '../model/diagnostic.ts'
import { type Task, type TaskOutcome, type Worker, WorkerError } from '../model/worker.ts'
import { type BuildOptions, outputLimits } from './build-run.ts'
import { readCheckLog } from './check-log.ts'
import { takeOutput } from './output.ts'
import { planWithBase, type TaskPlan } from './plan.ts'
import { refine } from './refine.ts'
import { outputFolders, runSteps } from './steps.ts'

const MAX_CHECK_LINES = 5000

/** What is left when the build is published: the variant, then the type checks. Stops the worker. */
export async function finishRest(
  worker: Worker,
  options: BuildOptions,
  plan: TaskPlan,
): Promise<Diagnostic[]> {
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
  const { base, create } = options.variant
  const { steps } = planWithBase(plan, base)
  const again = steps.slice(steps.findIndex((step) => step.kind === 'vite-build'))
  const result = await runSteps(worker, again, { ...options, onLog: () => undefined }, plan.root)
  if (result.kind === 'ended') return
  const writer = await create()
  try {
    const folders = outputFolders(plan, result.outDir, options.snapshot)
    await takeOutput(worker, folders, writer, outputLimits(options.limits))
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

function unfinishedCheck(check: Task, outcome: TaskOutcome): Diagnostic {
  const command = check.kind === 'shell' ? check.command : check.kind
  const message = `The check "${command}" did not come to an end: ${outcome.kind.replaceAll('_', ' ')}.`
  return { origin: 'type', severity: 'warning', code: 'CHECK_FAILED', message }
}
