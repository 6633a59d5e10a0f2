/** One line of the table: what previewd takes beside what plain tools take, in the same run. */
export interface Row {
  name: string
  unit: 'ms' | 'requests/s' | 'sessions'
  /** What the plain side is, e.g. `sh -c "vite build"`. */
  beside: string
  previewd: number
  plain: number
  /** previewd / plain. */
  ratio: number
  /** Of the ratio, or of what previewd has. */
  goal?: { means: 'at most' | 'at least' } & ({ ratio: number } | { previewd: number })
  met?: boolean
  samples: { previewd: number[]; plain: number[] }
  /** Further numbers and observations, for the JSON and below the table. */
  notes: string[]
}

export interface Sides {
  /** Both give one sample; they run by turns. */
  previewd: (run: number) => Promise<number>
  plain: (run: number) => Promise<number>
  /** Before every sample: waits for what the one before left running. */
  rest: () => Promise<void>
}

/** Runs both sides by turns, `runs` times after a warm-up of each; who goes first changes every time. */
export async function byTurns(runs: number, sides: Sides): Promise<Row['samples']> {
  await sides.plain(0)
  await sides.previewd(0)
  const samples: Row['samples'] = { previewd: [], plain: [] }
  for (let run = 1; run <= runs; run++) {
    const order = run % 2 === 0 ? (['previewd', 'plain'] as const) : (['plain', 'previewd'] as const)
    for (const side of order) {
      await sides.rest()
      samples[side].push(await sides[side](run))
    }
  }
  return samples
}

export function toRow(
  row: Pick<Row, 'name' | 'unit' | 'beside' | 'samples'> & { goal?: Row['goal']; notes?: string[] },
): Row {
  const previewd = median(row.samples.previewd)
  const plain = median(row.samples.plain)
  const ratio = previewd / plain
  const { goal, notes = [], ...rest } = row
  if (goal === undefined) return { ...rest, previewd, plain, ratio, notes }
  const [reached, wanted] = 'ratio' in goal ? [ratio, goal.ratio] : [previewd, goal.previewd]
  const met = goal.means === 'at most' ? reached <= wanted : reached >= wanted
  return { ...rest, previewd, plain, ratio, goal, met, notes }
}

/** The middle of the samples; the mean of the two middle ones where their number is even. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((one, other) => one - other)
  const half = sorted.length / 2
  const [low = Number.NaN, high = low] = sorted.slice(Math.ceil(half) - 1, Math.floor(half) + 1)
  return (low + high) / 2
}

/** Milliseconds that the work takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now()
  await work()
  return performance.now() - since
}
