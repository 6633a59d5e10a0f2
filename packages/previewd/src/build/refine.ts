import { toPlainText } from '../lib/plain-text.ts'
import type { Diagnostic, DiagnosticOrigin } from '../model/diagnostic.ts'
import type { Snapshot } from '../model/files.ts'
import { cutText } from './cut-text.ts'
import type { Found } from './found.ts'
import { makeFrame } from './frame.ts'
import { locate } from './locate.ts'

export const MAX_DIAGNOSTICS = 50
const MAX_FOUND = 10 * MAX_DIAGNOSTICS
/** Of all diagnostics of a build: every status holds them. */
const MAX_TOTAL_BYTES = 96 * 1024
const MAX_MESSAGE_BYTES = 4096
const MAX_FRAME_BYTES = 2048
const MAX_SOURCE_BYTES = 1024 * 1024
const MAX_FIELD_BYTES = 1024

/** What broke first breaks the rest: an install before a config, a config before a build, a build before types. */
const ORDER: DiagnosticOrigin[] = ['install', 'config', 'transform', 'build', 'type', 'runtime', 'network']

/**
 * Diagnostics as they are kept: root cause first, each once, at most {@link MAX_DIAGNOSTICS}, of bounded size, with a
 * frame out of the source where the tool gave none.
 */
export async function refine(found: readonly Found[], snapshot: Snapshot): Promise<Diagnostic[]> {
  const unique = new Map<string, Diagnostic>()
  for (const diagnostic of found.slice(0, MAX_FOUND).sort((a, b) => weight(a) - weight(b))) {
    const bounded = bound(await locate(diagnostic, snapshot))
    const key = [bounded.severity, bounded.file, bounded.line, bounded.column, bounded.message].join('\0')
    if (!unique.has(key)) unique.set(key, bounded)
  }
  const kept = withinBudget([...unique.values()].slice(0, MAX_DIAGNOSTICS))
  return Promise.all(kept.map((diagnostic) => withFrame(diagnostic, snapshot)))
}

/** The first ones whole; those beyond the budget lose their frames and stacks, then their place in the list. */
function withinBudget(diagnostics: Diagnostic[]): Diagnostic[] {
  let left = MAX_TOTAL_BYTES
  const kept: Diagnostic[] = []
  for (const diagnostic of diagnostics) {
    const { frame = '', stack = '', ...short } = diagnostic
    const isWhole = left > frame.length + stack.length
    left -= short.message.length + (isWhole ? frame.length + stack.length : 0)
    if (left < 0 && kept.length > 0) break
    kept.push(isWhole ? diagnostic : short)
  }
  return kept
}

function weight({ severity, origin }: Diagnostic): number {
  return (severity === 'error' ? 0 : ORDER.length) + ORDER.indexOf(origin)
}

function bound(diagnostic: Diagnostic): Diagnostic {
  const bounded = { ...diagnostic, message: cutText(toPlainText(diagnostic.message), MAX_MESSAGE_BYTES) }
  if (bounded.frame !== undefined) bounded.frame = cutText(toPlainText(bounded.frame), MAX_FRAME_BYTES)
  if (bounded.stack !== undefined) bounded.stack = cutText(toPlainText(bounded.stack), MAX_FRAME_BYTES)
  for (const field of ['file', 'hint', 'code'] as const) {
    const value = bounded[field]
    if (value !== undefined) bounded[field] = cutText(toPlainText(value), MAX_FIELD_BYTES)
  }
  return bounded
}

async function withFrame(diagnostic: Diagnostic, snapshot: Snapshot): Promise<Diagnostic> {
  const { file, line, column } = diagnostic
  const entry = file === undefined ? undefined : snapshot.files.get(file)
  if (diagnostic.frame !== undefined || !entry || line === undefined || entry.size > MAX_SOURCE_BYTES) {
    return diagnostic
  }
  const frame = makeFrame((await snapshot.read(entry.path)).toString('utf8'), line, column)
  return frame === undefined
    ? diagnostic
    : { ...diagnostic, frame: cutText(toPlainText(frame), MAX_FRAME_BYTES) }
}
