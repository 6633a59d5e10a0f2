import { stripVTControlCharacters } from 'node:util'
import type { ToolError } from '../model/worker.ts'

const MAX_ERRORS = 50
const MAX_SHORT = 2_000
const MAX_TEXT = 8_000

type Fields = Record<string, unknown>

/**
 * What a build threw, as far as it can be told: errors of Rollup and Vite (`id`, `loc`, `frame`, `plugin`), the lists
 * of Rolldown (`errors`, of the same shape) and of esbuild (`errors` with `text` and `location`).
 */
export function toToolErrors(thrown: unknown): ToolError[] {
  const fields = fieldsOf(thrown)
  const inner = Array.isArray(fields.errors) ? fields.errors.slice(0, MAX_ERRORS) : []
  if (inner.length > 0) return inner.map((error) => toToolError(error, fields))
  return [toToolError(thrown, {})]
}

function toToolError(thrown: unknown, outer: Fields): ToolError {
  const fields = fieldsOf(thrown)
  const location = fieldsOf(fields.loc ?? fields.location)
  const message = text(fields.message ?? fields.text ?? outer.message, MAX_TEXT) ?? String(thrown)
  // Query suffixes name a part of the file, such as ?vue&type=script.
  const file = text(location.file ?? fields.id ?? fields.filename ?? outer.id, MAX_SHORT)?.replace(
    /[?#].*$/,
    '',
  )
  const column = number(location.column)
  return {
    message,
    ...present('name', text(fields.name ?? outer.name, MAX_SHORT)),
    ...present('code', text(fields.code, MAX_SHORT)),
    ...present('plugin', text(fields.plugin ?? fields.pluginName ?? outer.plugin, MAX_SHORT)),
    ...present('file', file),
    ...present('line', number(location.line)),
    // Columns of these tools count from 0.
    ...present('column', column === undefined ? undefined : column + 1),
    ...present('frame', text(fields.frame ?? location.lineText, MAX_TEXT)),
    ...present('stack', text(fields.stack ?? outer.stack, MAX_TEXT)),
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

function text(value: unknown, limit: number): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined
  return stripVTControlCharacters(value).slice(0, limit)
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function present<K extends keyof ToolError>(key: K, value: ToolError[K] | undefined): Partial<ToolError> {
  return value === undefined ? {} : { [key]: value }
}
