import { toPlainText } from '../lib/plain-text.ts'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { LogLine } from '../model/worker.ts'
import { readCheckLog } from './check-log.ts'
import type { SourcePlace } from './source-path.ts'
import { fromText } from './tool-error.ts'

const START = /^(?:error during build:|.*[✗×x] Build failed in |\[!\] |.*Error: |.*\bERROR\b)/
const MAX_BLOCK_LINES = 60
const TAIL_LINES = 20

/**
 * What the log of a failed command says was wrong: type errors and errors of bundlers where they are recognised, else
 * one diagnostic with the last lines.
 */
export function readCommandLog(log: readonly LogLine[], place: SourcePlace, ending: string): Diagnostic[] {
  const lines = log.map(({ text }) => toPlainText(text))
  const types = readCheckLog(lines, place)
  const block = errorBlock(lines)
  const inConfig = lines.some((line) => line.includes('failed to load config from'))
  const errors = block ? fromText(block, place, inConfig).filter(({ message }) => message !== '') : []
  const telling = errors.filter(({ code, file }) => file !== undefined || code !== 'BUILD_FAILED')
  if (telling.length > 0 || types.length > 0) return [...telling, ...types]
  const tail = lines.filter((line) => line.trim() !== '').slice(-TAIL_LINES)
  const exited: Diagnostic = { origin: 'build', severity: 'error', code: 'BUILD_EXITED', message: ending }
  if (errors[0]) exited.message = `${ending}\n${errors[0].message}`
  return [{ ...exited, ...(tail.length > 0 && { frame: tail.join('\n') }) }]
}

function errorBlock(lines: readonly string[]): string | undefined {
  const at = lines.findIndex((line) => START.test(line))
  if (at < 0) return undefined
  const isTitle = /^error during build:|Build failed in /.test(lines[at] ?? '')
  return lines.slice(isTitle ? at + 1 : at, at + MAX_BLOCK_LINES).join('\n')
}
