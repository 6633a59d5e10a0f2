import type { Diagnostic } from '../model/diagnostic.ts'
import type { LogLine, TaskOutcome, WorkerError } from '../model/worker.ts'
import { readCommandLog } from './command-log.ts'
import type { Found } from './found.ts'
import type { SourcePlace } from './source-path.ts'
import { fromToolError } from './tool-error.ts'

export interface OutcomeContext extends SourcePlace {
  /** Last lines that the task wrote. */
  log: readonly LogLine[]
  timeoutMs: number
}

/** What a task that did not succeed has to say; empty for one that was canceled. */
export function fromOutcome(outcome: TaskOutcome, context: OutcomeContext): Diagnostic[] {
  switch (outcome.kind) {
    case 'succeeded':
    case 'canceled':
      return []
    case 'failed':
      return fromFailure(outcome, context)
    case 'timed_out':
      return [timedOut(context.timeoutMs)]
    case 'out_of_memory':
      return [ended('BUILD_OUT_OF_MEMORY', 'The build needed more memory than it may use.')]
    case 'violation':
      return [...readCommandLog(context.log, context, `The build was ended: ${outcome.detail}`)]
  }
}

export function timedOut(timeoutMs: number): Diagnostic {
  return ended('BUILD_TIMED_OUT', `The build did not end within ${timeoutMs / 1000} s.`, {
    hint: 'something in the build keeps running: a watcher, a server, an open handle or an endless loop',
  })
}

export function outsideOfProject(folder: string): Diagnostic {
  return ended('OUTPUT_MISSING', `The output folder ${folder} lies outside of the project.`, {
    hint: 'set outputDir, or outDir of the Vite config, to a folder inside the project',
  })
}

function fromFailure(outcome: TaskOutcome & { kind: 'failed' }, context: OutcomeContext): Diagnostic[] {
  const inConfig = context.log.some(({ text }) => text.includes('failed to load config from'))
  const structured = outcome.errors.flatMap((error) => fromToolError(error, context, inConfig))
  const found = structured.length > 0 ? structured : readCommandLog(context.log, context, ending(outcome))
  return found.map(explainNoNetwork)
}

/** The words of Node for a name that it cannot look up; nothing else tells that a sandbox is around it. */
function explainNoNetwork(found: Found): Found {
  const said = `${found.message} ${found.frame ?? ''}`
  if (found.hint !== undefined || !/\b(?:ENOTFOUND|EAI_AGAIN|ENETUNREACH)\b/.test(said)) return found
  const hint =
    'builds reach no network: keep the data in a file of the project, or fetch it where the page is shown; catch the error where the build can go on without it'
  return { ...found, hint }
}

function ending({ exitCode, signal }: { exitCode: number | null; signal?: string }): string {
  if (signal !== undefined) return `The build was ended by ${signal}.`
  if (exitCode === 0) return 'The build ended the process before it was done.'
  return `The build ended with exit code ${exitCode ?? 'unknown'}.`
}

/** What it means that an output could not be taken. */
export function fromWorkerError(error: WorkerError, outputDir: string): Diagnostic {
  switch (error.reason) {
    case 'missing_output':
      return ended('OUTPUT_MISSING', `The build wrote no files to ${outputDir}.`, {
        hint: 'set outputDir to the folder that the build writes',
      })
    case 'too_many_files':
      return ended('OUTPUT_TOO_MANY_FILES', 'The build wrote more files than it may.')
    case 'too_many_bytes':
      return ended('OUTPUT_TOO_LARGE', 'The build wrote more bytes than it may.')
    case 'special_file':
      return ended('OUTPUT_NOT_REGULAR', `The output holds something that is not a file: ${error.message}`)
    case 'violation':
    case 'ended':
      return ended('BUILD_EXITED', `The build was ended: ${error.message}`)
  }
}

function ended(code: string, message: string, more: Partial<Diagnostic> = {}): Diagnostic {
  return { origin: 'build', severity: 'error', code, message, ...more }
}
