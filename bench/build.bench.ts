import { type Context, pushBuilt } from './context.ts'
import { byTurns, median, type Row, timed, toRow } from './row.ts'
import { edit } from './subject.ts'

/** An edit of a project that is built already: POST to published, beside the project's build script in a shell. */
export async function buildBench({ runs, client, rest, projects }: Context): Promise<Row[]> {
  const rows: Row[] = []
  for (const { subject, plain } of projects) {
    const buildMs: number[] = []
    const samples = await byTurns(runs, {
      rest,
      plain: async (run) => {
        plain.write(edit(subject, `plain ${run}`))
        return timed(() => plain.build())
      },
      previewd: (run) =>
        timed(async () => {
          const { status } = await pushBuilt(client, `warm-${subject.name}`, edit(subject, `previewd ${run}`))
          if (run > 0) buildMs.push(status.timings.buildMs ?? Number.NaN)
        }),
    })
    rows.push(
      toRow({
        name: `build of a warm project, ${subject.title}: POST to published`,
        unit: 'ms',
        beside: 'its build script in a shell',
        samples,
        goal: { ratio: 1.1, means: 'at most' },
        notes: [`of which the build itself: ${median(buildMs).toFixed(0)} ms`],
      }),
    )
  }
  return rows
}
