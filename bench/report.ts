import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { arch, cpus, freemem, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Row } from './row.ts'

export interface Machine {
  cpu: string
  cores: number
  memoryGib: number
  freeGib: number
  /** Load of the minute before the run. */
  load: number
  kernel: string
  node: string
  chromium: string
}

export function describeMachine(): Machine {
  const gib = (bytes: number) => Math.round(bytes / 2 ** 30)
  const chromium = process.env.PREVIEWD_CHROMIUM ?? '/usr/bin/chromium'
  const version = execFileSync(chromium, ['--version'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return {
    cpu: `${cpus()[0]?.model ?? 'unknown'} (${arch()})`,
    cores: cpus().length,
    memoryGib: gib(totalmem()),
    freeGib: gib(freemem()),
    load: Number(loadavg()[0]?.toFixed(2)),
    kernel: release(),
    node: process.version,
    chromium: /[\d.]+/.exec(version)?.[0] ?? 'unknown',
  }
}

/** The rows as text, a line each, with the goal and whether it was met. */
export function toTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.name,
    row.beside,
    `${number(row.previewd)} ${row.unit}`,
    `${number(row.plain)} ${row.unit}`,
    `${row.ratio.toFixed(2)} x`,
    row.goal === undefined ? '-' : goalOf(row.goal, row.unit),
    row.met === undefined ? '-' : row.met ? 'met' : 'MISSED',
  ])
  const table = [['what', 'beside', 'previewd', 'plain', 'ratio', 'goal', ''], ...lines]
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0))) ?? []
  const text = table.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const notes = rows.flatMap((row) =>
    row.notes.length > 0 ? `${row.name}, beside ${row.beside}: ${row.notes.join('; ')}` : [],
  )
  return [...text, '', ...notes].join('\n')
}

function goalOf(goal: NonNullable<Row['goal']>, unit: Row['unit']): string {
  return `${goal.means} ${'ratio' in goal ? `${goal.ratio} x` : `${goal.previewd} ${unit}`}`
}

function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

/** Writes the whole result beside the others; returns the path. */
export function writeResult(result: object): string {
  const folder = join(import.meta.dirname, 'results')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${new Date().toISOString().replaceAll(':', '-')}.json`)
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`)
  return file
}
