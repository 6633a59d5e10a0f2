import semver from 'semver'

/** Another Node than the server's own, for a project's code. */
export interface NodeChoice {
  major: number
  /** Set by the project's settings: no other will do. */
  isRequired: boolean
}

/** The majors that a server has: its own, and those that it may download. */
export interface NodeOffer {
  own: number
  others: readonly number[]
}

/**
 * The major that fits a version or range: the server's own where it can, else the newest. Undefined where none does, or
 * where it is not a range. `20.11.0` asks for Node 20: a project gets the newest release of a major.
 */
export function fittingMajor(range: string, { own, others }: NodeOffer): number | undefined {
  if (semver.validRange(range) === null) return undefined
  return [own, ...others.toSorted((a, b) => b - a)].find((major) => semver.intersects(range, `${major}.x`))
}
