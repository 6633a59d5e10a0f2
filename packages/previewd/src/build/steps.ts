import { posix } from 'node:path'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { Snapshot } from '../model/files.ts'
import type { Task, TaskOutcome, Worker } from '../model/worker.ts'
import type { BuildOptions } from './build-run.ts'
import { LogTail } from './log-tail.ts'
import { fromOutcome } from './outcome.ts'
import { APP, type TaskPlan } from './plan.ts'

export type StepsResult =
  | { kind: 'done'; outDir: string | undefined }
  | { kind: 'ended'; outcome: TaskOutcome; diagnostics: Diagnostic[] }

/** Runs tasks one after the other until one does not succeed. */
export async function runSteps(
  worker: Worker,
  steps: readonly Task[],
  { snapshot, limits, onLog }: Pick<BuildOptions, 'snapshot' | 'limits' | 'onLog'>,
  root: string,
): Promise<StepsResult> {
  let outDir: string | undefined
  for (const step of steps) {
    const tail = new LogTail()
    const outcome = await worker.run(step, (line) => {
      tail.push(line)
      onLog(line)
    })
    if (outcome.kind !== 'succeeded') {
      const context = { files: snapshot.files, root, log: tail.lines, timeoutMs: limits.timeoutMs }
      return { kind: 'ended', outcome, diagnostics: fromOutcome(outcome, context) }
    }
    outDir = outcome.outDir ?? outDir
  }
  return { kind: 'done', outDir }
}

const OUTPUT_GUESSES = ['dist', 'build', 'out', '.output/public', 'public', '_site']

/**
 * The folders to look at: the one that is set, those of a framework (what Vite resolved may be its server's), the one
 * that Vite resolved, else usual ones that the build created.
 */
export function outputFolders(plan: TaskPlan, outDir: string | undefined, snapshot: Snapshot): string[] {
  if (plan.serverFramework) {
    return plan.serverFramework.outputs.map((folder) => posix.join(APP, plan.root, folder))
  }
  const known = plan.outputDir ?? outDir
  if (known !== undefined) return [known]
  const sources = [...snapshot.files.keys()]
  const wasThere = (name: string) =>
    sources.some((path) => path.startsWith(`${posix.join(plan.root, name)}/`))
  const created = OUTPUT_GUESSES.filter((name) => !wasThere(name))
  const rewritten = OUTPUT_GUESSES.filter((name) => name !== 'public' && wasThere(name))
  return [...created, ...rewritten].map((name) => posix.join(APP, plan.root, name))
}
