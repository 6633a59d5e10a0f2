import { toPlainText } from '../lib/plain-text.ts'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { ToolError } from '../model/worker.ts'
import { classify } from './classify.ts'
import { type ErrorText, readErrorText } from './error-text.ts'
import type { Found } from './found.ts'
import { projectPath, type SourcePlace } from './source-path.ts'

const MAX_STACK_LINES = 10
const CONFIG_FILE =
  /(?:^|\/)(?:vite|postcss|tailwind|svelte|astro|uno|babel)\.config\.\w+$|(?:^|\/)tsconfig[\w.]*\.json$/

/** The diagnostics that one structured error of the toolchain comes to: esbuild and Rolldown put several into one. */
export function fromToolError(error: ToolError, place: SourcePlace, inConfig = false): Found[] {
  const read = readErrorText(error.message)
  const found = read.map((one) => fromErrorText(one, error, place, inConfig))
  const quoted = read.length === 1 && found[0]?.line !== undefined && quotedLine(error)
  return quoted ? found.map((one) => ({ ...one, findLine: quoted })) : found
}

/** As {@link fromToolError}, for text alone. */
export function fromText(text: string, place: SourcePlace, inConfig = false): Found[] {
  return fromToolError({ message: text }, place, inConfig)
}

function fromErrorText(read: ErrorText, error: ToolError, place: SourcePlace, inConfig: boolean): Found {
  const file = filePath(read, error, inConfig, place)
  const at = position(read, error)
  const signs = `${error.name ?? ''} ${error.code ?? ''} ${error.message.slice(0, 4000)}`
  const kind = classify(read.message.replaceAll('/app/', ''), toPlainText(signs), file, place)
  const ofConfig = inConfig || (kind.file !== undefined && CONFIG_FILE.test(kind.file))
  // esbuild gives the bare line; a frame drawn out of the source says more.
  const frame = read.frame ?? (error.frame?.includes('\n') ? error.frame : undefined)
  const stack = error.stack && stackOf(error.stack)
  return {
    origin: ofConfig ? 'config' : error.plugin ? 'transform' : 'build',
    severity: 'error',
    ...kind,
    code: kind.code ?? (ofConfig ? 'CONFIG_FAILED' : error.plugin ? 'TRANSFORM_FAILED' : 'BUILD_FAILED'),
    ...(kind.file !== undefined && at),
    ...(frame && { frame: toPlainText(frame).replaceAll('/app/', '') }),
    ...(stack && { stack }),
  }
}

/** esbuild's own frame: the bare line. */
function quotedLine({ frame }: ToolError): string | undefined {
  return frame !== undefined && !frame.includes('\n') ? frame : undefined
}

function filePath(
  read: ErrorText,
  error: ToolError,
  inConfig: boolean,
  place: SourcePlace,
): string | undefined {
  const raw = read.location?.file ?? error.file
  const named = raw === undefined ? undefined : projectPath(toPlainText(raw), place)
  if (named !== undefined || !inConfig) return named
  for (const path of place.files.keys()) {
    const below =
      place.root === '' ? path : path.startsWith(`${place.root}/`) ? path.slice(place.root.length + 1) : ''
    if (/^vite\.config\.\w+$/.test(below)) return path
  }
  return undefined
}

/** The text's own place is preferred: what errors carry as `column` starts from 0 in one tool and from 1 in another. */
function position(read: ErrorText, error: ToolError): Pick<Diagnostic, 'line' | 'column'> {
  const line = read.location?.line ?? positive(error.line)
  const column = read.location?.line === undefined ? positive(error.column) : read.location.column
  return {
    ...(line !== undefined && { line }),
    ...(line !== undefined && column !== undefined && { column }),
  }
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && Number.isInteger(value) && value > 0 ? value : undefined
}

/** The lines of a stack that lie in the project's own code; a bundled config has other line numbers than its source. */
function stackOf(stack: string): string | undefined {
  const lines = toPlainText(stack)
    .split('\n')
    .filter((line) => /^\s+at .*\/app\//.test(line) && !/node_modules\/(?!\.vite-temp\/)/.test(line))
    .map((line) =>
      line
        .replaceAll(/(?:file:\/\/)?\/app\//g, '')
        .replace(/[^\s(]*(vite\.config\.\w+)\.timestamp-[\w-]+\.mjs:\d+:\d+/, '$1'),
    )
  return lines.slice(0, MAX_STACK_LINES).join('\n') || undefined
}
