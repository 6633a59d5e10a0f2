import { toPlainText } from '../lib/plain-text.ts'
import type { ReportedDiagnostic } from '../model/diagnostic.ts'
import { paint, type Terminal } from './terminal.ts'

/**
 * What is wrong, each problem with its place, frame and what would mend it, below an empty line. All of it may be a
 * project's words: plain text. An empty string where nothing is wrong.
 */
export function formatDiagnostics(out: Terminal['out'], diagnostics: readonly ReportedDiagnostic[]): string {
  return diagnostics.map((diagnostic) => `\n\n${formatDiagnostic(out, diagnostic)}`).join('')
}

function formatDiagnostic(out: Terminal['out'], diagnostic: ReportedDiagnostic): string {
  const { severity, message, frame, hint, count } = diagnostic
  const mark =
    severity === 'error' ? paint(out, ['red', 'bold'], 'error') : paint(out, ['yellow', 'bold'], 'warning')
  const place = formatPlace(diagnostic)
  const times = count > 1 ? paint(out, 'dim', ` (${count} times)`) : ''
  const lines = [`${mark}  ${toPlainText(message)}${times}`]
  if (place) lines.push(paint(out, 'cyan', `  ${place}`))
  if (frame) lines.push(indent(paint(out, 'dim', toPlainText(frame).trimEnd())))
  if (hint) lines.push(`  ${paint(out, 'green', 'try')}: ${toPlainText(hint)}`)
  return lines.join('\n')
}

function formatPlace({ file, line, column }: ReportedDiagnostic): string {
  if (!file) return ''
  return [toPlainText(file), line, line === undefined ? undefined : column]
    .filter((part) => part !== undefined)
    .join(':')
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ')
}
