import type { Encoding } from '../model/artifact.ts'

/** Smallest on the wire first. */
const PREFERENCE: readonly Encoding[] = ['br', 'gzip', 'identity']
const MAX_HEADER_LENGTH = 512

/**
 * Encodings that a client accepts, best first, after RFC 9110 section 12.5.3. An absent header and one that is
 * absurdly long mean identity; identity stays acceptable at the end unless something else was all that is asked for.
 */
export function acceptedEncodings(header: string | undefined): Encoding[] {
  if (header === undefined || header.length > MAX_HEADER_LENGTH) return ['identity']
  const weights = parseWeights(header)
  const weightOf = (encoding: Encoding): number =>
    weights.get(encoding) ?? (encoding === 'identity' ? 0.0001 : (weights.get('*') ?? 0))
  const accepted = PREFERENCE.filter((encoding) => weightOf(encoding) > 0)
  accepted.sort((a, b) => weightOf(b) - weightOf(a))
  return accepted.includes('identity') ? accepted : [...accepted, 'identity']
}

function parseWeights(header: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const item of header.toLowerCase().split(',')) {
    const [coding = '', ...parameters] = item.split(';')
    const name = coding.trim() === 'x-gzip' ? 'gzip' : coding.trim()
    if (name !== '') weights.set(name, weightFrom(parameters))
  }
  return weights
}

function weightFrom(parameters: string[]): number {
  const quality = parameters.map((parameter) => parameter.trim()).find((text) => text.startsWith('q='))
  const weight = quality === undefined ? 1 : Number(quality.slice(2))
  return Number.isFinite(weight) && weight >= 0 && weight <= 1 ? weight : 0
}
