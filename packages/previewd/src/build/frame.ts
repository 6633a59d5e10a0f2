const LINES_BEFORE = 2
const LINES_AFTER = 2
const MAX_LINE_LENGTH = 160

/** Source lines around a place (1-based), with a mark at the line and the column; undefined outside the source. */
export function makeFrame(source: string, line: number, column?: number): string | undefined {
  const lines = source.split(/\r?\n/)
  if (line < 1 || line > lines.length) return undefined
  const first = Math.max(1, line - LINES_BEFORE)
  const last = Math.min(lines.length, line + LINES_AFTER)
  const width = String(last).length
  const rows: string[] = []
  for (let number = first; number <= last; number++) {
    const text = (lines[number - 1] ?? '').replaceAll('\t', '  ')
    rows.push(
      `${number === line ? '>' : ' '} ${String(number).padStart(width)} | ${text.slice(0, MAX_LINE_LENGTH)}`,
    )
    if (number === line && column !== undefined && column >= 1 && column <= MAX_LINE_LENGTH) {
      const tabs = (lines[number - 1] ?? '').slice(0, column - 1).split('\t').length - 1
      rows.push(`  ${' '.repeat(width)} | ${' '.repeat(column - 1 + tabs)}^`)
    }
  }
  return rows.map((row) => row.trimEnd()).join('\n')
}
