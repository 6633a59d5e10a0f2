/** `whole`: no range to honour; `unsatisfiable`: 416; else bytes [start, end). */
export type RangeResult = 'whole' | 'unsatisfiable' | { start: number; end: number }

const SINGLE = /^bytes=([0-9]{0,15})-([0-9]{0,15})$/

/** Reads a Range header for one range; several ranges, other units and nonsense get the whole file (RFC 9110, 14.2). */
export function parseRange(header: string | undefined, sizeBytes: number): RangeResult {
  const match = header === undefined ? null : SINGLE.exec(header.trim())
  if (match === null) return 'whole'
  const [, first = '', last = ''] = match
  if (first === '') return suffixRange(last, sizeBytes)
  const start = Number(first)
  if (last !== '' && Number(last) < start) return 'whole'
  if (start >= sizeBytes) return 'unsatisfiable'
  return { start, end: last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes) }
}

function suffixRange(length: string, sizeBytes: number): RangeResult {
  if (length === '') return 'whole'
  const wanted = Math.min(Number(length), sizeBytes)
  return wanted === 0 ? 'unsatisfiable' : { start: sizeBytes - wanted, end: sizeBytes }
}
