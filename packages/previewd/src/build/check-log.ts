import { toPlainText } from '../lib/plain-text.ts'
import type { Diagnostic } from '../model/diagnostic.ts'
import { projectPath, type SourcePlace } from './source-path.ts'

const PLAIN =
  /^(?<file>[^\s(][^(\n]{0,500})\((?<line>\d+),(?<column>\d+)\): (?<severity>error|warning) (?<code>TS\d+): (?<message>.+)$/
const PRETTY =
  /^(?<file>\S[^:\n]{0,500}):(?<line>\d+):(?<column>\d+) - (?<severity>error|warning) (?<code>TS\d+): (?<message>.+)$/
const GLOBAL = /^(?<severity>error|warning) (?<code>TS\d+): (?<message>.+)$/
/** svelte-check: the place alone on a line, then the message. */
const SVELTE_PLACE = /^(?<file>\/\S{1,500}|\S{1,500}\.(?:svelte|ts|js)):(?<line>\d+):(?<column>\d+)$/
const SVELTE_MESSAGE = /^(?<severity>Error|Warn(?:ing)?): (?<message>.+)$/

/** The problems in what `tsc`, `vue-tsc` and `svelte-check` print. */
export function readCheckLog(lines: readonly string[], place: SourcePlace): Diagnostic[] {
  const found: Diagnostic[] = []
  let at: Record<string, string> | undefined
  for (const raw of lines) {
    const line = toPlainText(raw)
    const groups = (PLAIN.exec(line) ?? PRETTY.exec(line) ?? GLOBAL.exec(line))?.groups
    const svelte = at && SVELTE_MESSAGE.exec(line)?.groups
    if (groups) found.push(toDiagnostic(groups, place))
    else if (svelte) found.push(toDiagnostic({ ...at, ...svelte }, place))
    else if (/^ {2,}\S/.test(line) && found.length > 0 && at === undefined) extend(found, line)
    at = SVELTE_PLACE.exec(line)?.groups
  }
  return found
}

/** tsc explains a mismatch in indented lines below it. */
function extend(found: Diagnostic[], line: string): void {
  const last = found.at(-1)
  if (last && last.message.length < 1000) last.message += `\n${line}`
}

function toDiagnostic(groups: Record<string, string | undefined>, place: SourcePlace): Diagnostic {
  const file = groups.file === undefined ? undefined : projectPath(groups.file, place)
  return {
    origin: 'type',
    severity: /^warn/i.test(groups.severity ?? '') ? 'warning' : 'error',
    code: groups.code ?? 'TYPE_ERROR',
    message: (groups.message ?? '').replaceAll('/app/', ''),
    ...(file !== undefined && { file, line: Number(groups.line), column: Number(groups.column) }),
  }
}
