import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Where a command writes: results to `out`, progress and errors to `err`. */
export interface Terminal {
  out: NodeJS.WritableStream & { isTTY?: boolean }
  err: NodeJS.WritableStream & { isTTY?: boolean }
}

export function printLine(terminal: Terminal, text = ''): void {
  terminal.out.write(`${text}\n`)
}

/** Colours where the stream is a terminal that shows them (NO_COLOR and FORCE_COLOR are obeyed). */
export function paint(stream: Terminal['out'], style: Style, text: string): string {
  return styleText(style, text, { stream: stream as NodeJS.WriteStream })
}

/** Columns as wide as their widest cell, two spaces between them. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** `412 B`, `3.4 kB`, `1.2 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const units = ['kB', 'MB', 'GB']
  let value = bytes / 1000
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`
}

/** `85 ms`, `2.1 s`. */
export function formatMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
